"""The house style, figures with alt text, sliders."""
