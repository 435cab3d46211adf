// Sends the chosen picture to /search and shows what comes back. All text is set as text.
"use strict";
const at = id => document.getElementById(id);
const file = at("file"), preview = at("preview"), drop = at("drop"), go = at("go");

function say(status, error = "") {
  at("status").textContent = status;
  at("error").textContent = error;
}

file.addEventListener("change", () => {
  if (preview.src) URL.revokeObjectURL(preview.src);
  const chosen = file.files[0];
  preview.hidden = !chosen;
  at("hint").textContent = chosen ? chosen.name : "Choose a picture, or drop one here";
  if (chosen) preview.src = URL.createObjectURL(chosen);
  say("");
});
preview.addEventListener("error", () => { preview.hidden = true; });

for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, event => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) {
      file.files = event.dataTransfer.files;
      file.dispatchEvent(new Event("change"));
    }
  });
}

function show(match) {
  const item = at("match").content.cloneNode(true);
  const find = name => item.querySelector(name);
  find(".landmark").textContent = match.landmark || "";
  find(".score").textContent = "cosine " + match.score.toFixed(3);
  find(".id").textContent = match.id;
  if (match.image) {
    const image = find("img");
    image.src = match.image;
    image.alt = match.landmark || match.id;
    image.hidden = false;
    find(".none").hidden = true;
  }
  at("matches").append(item);
}

at("form").addEventListener("submit", async event => {
  event.preventDefault();
  go.disabled = true;
  at("matches").replaceChildren();
  say("Searching …");
  try {
    const answer = await fetch("search", { method: "POST", body: new FormData(event.target) });
    const result = await answer.json();
    if (!answer.ok) {
      say("", result.error);
    } else {
      result.matches.forEach(show);
      const ms = (result.describe_ms + result.search_ms).toFixed(0);
      say(`Best ${result.matches.length} of ${result.index_rows.toLocaleString("en")} pictures, ${ms} ms`);
    }
  } catch (error) {
    say("", "The server did not answer. Is it running?");
  } finally {
    go.disabled = false;
  }
});
