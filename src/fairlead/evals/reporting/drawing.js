// Draws each chart into its place, in the colours that the reader's system wants, and again when that changes.
const wanted = JSON.parse(document.getElementById("charts").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function look() {
  const [ink, soft, line] = dark.matches ? ["#e6eaf0", "#9aa6b6", "#2c3541"] : ["#1c2430", "#5b6675", "#e1e5ea"];
  const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
  return {
    background: "transparent", font, view: { stroke: null }, autosize: { type: "fit-x", contains: "padding" },
    axis: { labelColor: ink, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
            labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: soft, labelFontSize: 12 }, text: { fill: ink, fontSize: 12 },
  };
}
// The same colours, as light as a dark ground wants them.
const lighter = { "#6b7280": "#a8b2c1", "#0072b2": "#6db9e8", "#d55e00": "#ff9b52", "#009e73": "#3ecf9f",
                  "#1a7f4b": "#4cc38a", "#c0392b": "#ff8577", "#b7791f": "#e5b567" };
function fitted(spec) {
  // On a telephone names take at most a third of the width.
  const limit = Math.max(80, Math.min(320, Math.round(document.body.clientWidth / 3)));
  const colours = (list) => list.map((colour) => (dark.matches && lighter[colour]) || colour);
  return JSON.parse(JSON.stringify(spec, (key, value) =>
    key === "labelLimit" ? limit : key === "range" && Array.isArray(value) ? colours(value) : value));
}
function draw() {
  for (const [name, spec] of Object.entries(wanted)) {
    const place = document.getElementById("chart-" + name);
    if (place) vegaEmbed(place, fitted(spec), { actions: false, renderer: "svg", config: look() }).catch((error) => {
      place.textContent = "This chart could not be drawn: " + error.message;
    });
  }
}
dark.addEventListener("change", draw);
draw();
