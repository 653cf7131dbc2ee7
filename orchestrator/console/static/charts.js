// Time series on canvas (uPlot), in place of what the server drew. Colours are the page's; when the system changes between
// dark and light the charts are made anew, because a canvas keeps the colours that it was drawn with.

const plots = new Map(); // element → { plot, data }
const HEIGHT = 118;

const colour = (name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  probe.hidden = true;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
};

const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e4 ? `${value / 1e3}k` : String(value));
const clock = (at, step) => new Date(at * 1000).toISOString().slice(11, step < 60 ? 19 : 16);

// A value between two gaps is no line: while there are few, each is a point.
const few = (plot, series, from, to) => to - from < 12;

function make(element, told) {
  const [soft, line] = [colour("--soft"), colour("--line")];
  const axis = { stroke: soft, font: "11px system-ui", grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const styles = [{ stroke: colour("--line-0") }, { stroke: colour("--line-1"), dash: [4, 3] }];
  element.replaceChildren();
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 22, 0, 0],
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, size: 22, values: (_, times, at, space, step) => times.map((each) => clock(each, step)), space: 64 },
        { ...axis, size: 44, values: (_, values) => values.map(short), space: 26 },
      ],
      series: [
        {},
        ...told.names.map((label, at) => ({ label, width: 1.5, spanGaps: false, points: { show: few, size: 4 }, ...styles[at] })),
      ],
    },
    told.data,
    element,
  );
}

export function drawAll() {
  for (const element of document.querySelectorAll("[data-chart]")) {
    const told = element.dataset.chart;
    const known = plots.get(element);
    if (known?.told === told) continue;
    const parsed = JSON.parse(told);
    if (parsed.data[0].length < 2) continue;
    if (known) known.plot.setData(parsed.data);
    plots.set(element, { plot: known?.plot ?? make(element, parsed), told });
  }
}

function anew() {
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  drawAll();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) {
    width = innerWidth;
    anew();
  }
});
