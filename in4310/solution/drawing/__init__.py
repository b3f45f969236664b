"""The pictures: every plot in one style, feature maps as tiles."""
