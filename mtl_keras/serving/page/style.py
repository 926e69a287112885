"""How the page looks: one style sheet, and gradio's theme in the project's colors; no font comes from elsewhere."""

from mtl_keras.colors import BLUE, VERMILION
from mtl_keras.extras import needed

themes = needed("gradio.themes", "page")
FONT = ("system-ui", "Segoe UI", "Roboto", "Helvetica", "Arial", "sans-serif")

CSS = """
.gradio-container { max-width: 1180px !important; margin: auto; }
.gradio-container .prose, .gradio-container p { line-height: 1.5; }
#title, #examples, .answer, #title .html-container, #examples .html-container, .answer .html-container { padding: 0; }
#title h1 { font-size: 1.9rem; font-weight: 700; letter-spacing: -0.02em; margin: 0.6rem 0 0.1rem; }
#title p { font-size: 1.05rem; margin: 0; }
#title p, .said p { color: var(--body-text-color-subdued); }
.said p { font-size: 0.9rem; margin: 0.2rem 0; }
#photo { min-height: 240px; }

#examples p { font-weight: 600; margin: 0 0 0.4rem; }
#examples .row { display: flex; flex-wrap: wrap; gap: 0.5rem; }
#examples button { padding: 0; border: 2px solid transparent; border-radius: 10px; overflow: hidden; cursor: pointer;
  background: none; line-height: 0; }
#examples img { height: 84px; width: auto; border-radius: 8px; margin: 0; }
#examples button:hover { border-color: MAIN; }
.gradio-container :focus-visible { outline: 3px solid MAIN !important; outline-offset: 2px; }

.answer h2 { font-size: 1.3rem; font-weight: 650; margin: 0 0 0.6rem; }
.answer .photo { width: 100%; max-height: 70vh; object-fit: contain; border-radius: 12px; margin: 0 0 1rem;
  background: var(--background-fill-secondary); }
.answer .empty { border: 1px dashed var(--border-color-primary); border-radius: 12px; padding: 4rem 1.5rem;
  text-align: center; color: var(--body-text-color-subdued); }
.answer .wrong { border-left: 4px solid WRONG; border-radius: 6px; padding: 0.9rem 1.1rem; margin: 0;
  background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.answer .people { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 1rem; }
.answer article { border: 1px solid var(--border-color-primary); border-top: 5px solid var(--person);
  border-radius: 12px; padding: 0.9rem 1.1rem 1rem; background: var(--background-fill-primary); max-width: 560px;
  box-shadow: 0 1px 5px rgb(0 0 0 / 14%); }
.answer header { display: flex; align-items: center; gap: 0.8rem; }
.answer header img { width: 56px; height: 56px; border-radius: 50%; margin: 0; object-fit: cover; }
.answer h3 { font-size: 1.1rem; font-weight: 650; margin: 0; }
.answer h4 { display: flex; justify-content: space-between; gap: 1rem; margin: 0.9rem 0 0.3rem; font-size: 0.95rem; }
.answer h4 span { color: var(--body-text-color-subdued); font-weight: 500; }
.answer h4 span::first-letter { text-transform: uppercase; }
.answer h4 span { display: inline-block; }
.answer .note { border-left: 4px solid WRONG; padding-left: 0.6rem; font-size: 0.9rem; margin: 0.6rem 0 0; }
.answer .bars { list-style: none; margin: 0; padding: 0; font-size: 0.85rem; }
.answer .bars li { display: grid; grid-template-columns: 7rem 1fr 3rem; align-items: center;
  gap: 0.6rem; margin: 0; }
.answer .bars li span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
.answer .track { height: 0.6rem; border-radius: 0.3rem; background: var(--background-fill-secondary); overflow: hidden;
  box-shadow: inset 0 0 0 1px var(--border-color-primary); }
.answer .track span { display: block; height: 100%; background: var(--person); border-radius: 0.3rem; }
.answer .distribution { width: 100%; height: auto; display: block; }
.answer .distribution polygon { fill: var(--person); opacity: 0.22; }
.answer .distribution polyline { fill: none; stroke: var(--person); stroke-width: 2; stroke-linejoin: round; }
.answer .distribution .floor { stroke: var(--border-color-primary); }
.answer .distribution .answer { stroke: var(--body-text-color); stroke-width: 1.5; stroke-dasharray: 4 3; }
.answer .distribution text { fill: var(--body-text-color-subdued); font-size: 11px; text-anchor: middle; }
.answer details { margin: 1rem 0 0; }
.answer summary { cursor: pointer; font-weight: 600; }
.answer .scroll { overflow-x: auto; }
.answer table { border-collapse: collapse; font-size: 0.85rem; white-space: nowrap; margin: 0.5rem 0; }
.answer th, .answer td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--border-color-primary);
  text-align: left; }
.answer .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 0.8rem;
  margin: 0 0 1rem; }
.answer .facts div { display: flex; flex-direction: column-reverse; justify-content: flex-end;
  border-radius: 12px; padding: 0.7rem 1rem;
  border-top: 5px solid MAIN; box-shadow: 0 1px 5px rgb(0 0 0 / 14%); }
.answer .facts dd { font-size: 1.6rem; font-weight: 650; margin: 0; }
.answer .facts dt { color: var(--body-text-color-subdued); font-weight: 500; margin: 0; }
.answer .figure { width: 100%; border-radius: 12px; margin: 0 0 1rem; background: white; }
.answer .downloads { display: flex; gap: 0.7rem; flex-wrap: wrap; margin: 1rem 0 0; }
.answer .download { background: MAIN; color: white; font-weight: 600; padding: 0.6rem 1.1rem; border-radius: 8px;
  text-decoration: none; }
.answer .download + .download { background: none; color: var(--body-text-color);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); }
""".replace("MAIN", BLUE).replace("WRONG", VERMILION)


def theme() -> "themes.Base":
    """Return gradio's plainest theme, in the project's blue and the reader's own letters."""
    steps = (0.95, 0.88, 0.75, 0.6, 0.35, 0.0, -0.1, -0.22, -0.36, -0.5, -0.62)
    hue = themes.Color(*(_tinted(BLUE, step) for step in steps), name="mtl")
    base = themes.Base(primary_hue=hue, neutral_hue="slate", radius_size="lg", font=FONT, font_mono=("monospace",))
    # As dark as small letters need it (4.5 to 1 against the ground).
    return base.set(body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300")


def _tinted(color: str, step: float) -> str:
    """Return a color brought nearer to white (step above 0) or to black (below)."""
    channels = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(c + (255 - c) * step if step > 0 else c * (1 + step)):02x}" for c in channels)
