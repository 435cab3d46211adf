"""How it is photographed: light, views, drawing, development."""
