"""Colors that stay apart for the color-blind, for figures and for what is drawn on images."""

# Okabe and Ito, Color Universal Design, 2008, without the pale yellow.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
INK, GRAY, PALE = "#262626", "#757575", "#ECECEC"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
