"""The web application over an exported model and a saved index; needs the extra `serve`.

`python -m landmarks_tf.serving --help`; in programs `landmarks_tf.serving.app.create_app`.
"""
