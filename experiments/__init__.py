"""The recipes: the only room that knows names like inception_v200."""
