"""The models, one file a subject; `zaguan.models` offers them all."""
