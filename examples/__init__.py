"""Programs around Tidemark that show it at work; nothing in Tidemark needs them but the demo."""
