// Small plots as SVG: readable in light and dark, and without colours; with a title and a description for who does not see.

import { scaleBand, scaleLinear, scaleLog } from "d3-scale";
import { line } from "d3-shape";

interface Axis {
  label: string;
  log?: boolean;
  ticks?: number[];
}

export interface LineChart {
  title: string;
  description: string;
  x: Axis;
  y: Axis;
  lines: { name: string; points: { x: number; y: number }[] }[];
}

export interface BarChart {
  title: string;
  description: string;
  x: Axis;
  /** Each bar is made of parts, from left to right. */
  bars: { name: string; parts: { name: string; value: number }[] }[];
}

const width = 720;
const dashes = ["none", "7 4", "2 4", "10 3 2 3", "1 3"];
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** Colours that differ in brightness too, for both grounds. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .ground { fill: #ffffff } .grid { stroke: #d1d9e0 } .axis { stroke: #59636e }
  .c0 { --c: #0550ae } .c1 { --c: #bc4c00 } .c2 { --c: #1a7f37 } .c3 { --c: #8250df } .c4 { --c: #57606a } .c5 { --c: #bf3989 } .c6 { --c: #7d4e00 }
  .line { fill: none; stroke: var(--c); stroke-width: 2 } .fill { fill: var(--c) } .name { fill: var(--c); font-weight: 600 }
  rect.fill { stroke: #ffffff; stroke-width: 0.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .ground { fill: #0d1117 } .grid { stroke: #30363d } .axis { stroke: #9198a1 }
    .c0 { --c: #79c0ff } .c1 { --c: #ffa657 } .c2 { --c: #7ee787 } .c3 { --c: #d2a8ff } .c4 { --c: #b1bac4 } .c5 { --c: #ff9bce } .c6 { --c: #e3b341 }
  }`;

export function lineChart({ title, description, x, y, lines }: LineChart): string {
  const [left, top, bottom] = [70, 40, 300];
  const right = width - 40;
  const values = lines.flatMap(({ points }) => points).filter((point) => Number.isFinite(point.y));
  const xs = values.map((point) => point.x);
  const ys = values.map((point) => point.y);
  const across = (x.log ? scaleLog() : scaleLinear())
    .domain([Math.min(...xs), Math.max(...xs)])
    .range([left, right]);
  const up = (y.log ? scaleLog() : scaleLinear())
    .domain([y.log ? Math.min(...ys) : 0, Math.max(...ys)])
    .nice()
    .range([bottom, top]);
  const xTicks = x.ticks ?? across.ticks(6);
  const yTicks = y.ticks ?? wholeDecades(up.ticks(5), y.log);
  const path = line<{ x: number; y: number }>()
    .defined((point) => Number.isFinite(point.y))
    .x((point) => round(across(point.x)))
    .y((point) => round(up(point.y)));
  const body = [
    ...yTicks.map(
      (tick) =>
        `<line class="grid" x1="${left}" x2="${right}" y1="${round(up(tick))}" y2="${round(up(tick))}"/>` +
        `<text x="${left - 8}" y="${round(up(tick)) + 4}" text-anchor="end">${number.format(tick)}</text>`,
    ),
    ...xTicks.map(
      (tick) =>
        `<text x="${round(across(tick))}" y="${bottom + 20}" text-anchor="middle">${number.format(tick)}</text>`,
    ),
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escapeXml(x.label)}</text>`,
    `<text x="${left - 55}" y="${top - 16}">${escapeXml(y.label)}</text>`,
    ...lines.map(({ points }, at) => {
      const marks = points
        .filter((point) => Number.isFinite(point.y) && points.length <= 20)
        .map(
          (point) => `<circle class="fill" cx="${round(across(point.x))}" cy="${round(up(point.y))}" r="3"/>`,
        );
      return `<g class="c${at % 7}"><path class="line" stroke-dasharray="${dashes[at % dashes.length]}" d="${path(points) ?? ""}"/>${marks.join("")}</g>`;
    }),
    legend(
      lines.map(({ name }) => name),
      bottom + 66,
      (at, y) =>
        `<path class="line" stroke-dasharray="${dashes[at % dashes.length]}" d="M${left} ${y - 4}h36"/>`,
      left,
    ),
  ];
  return svg(title, description, bottom + 76 + 20 * lines.length, body.join("\n"));
}

export function barChart({ title, description, x, bars }: BarChart): string {
  const left = 30 + 8 * Math.max(...bars.map(({ name }) => name.length));
  const right = width - 70;
  const bottom = 40 + 28 * bars.length;
  const totals = bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0));
  const across = (x.log ? scaleLog() : scaleLinear())
    .domain([x.log ? Math.min(...totals) / 2 : 0, Math.max(...totals)])
    .nice()
    .range([left, right]);
  const down = scaleBand<number>()
    .domain(bars.map((_, at) => at))
    .range([40, bottom])
    .padding(0.25);
  const partNames = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const ticks = x.ticks ?? wholeDecades(across.ticks(5), x.log);
  const body = [
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="${round(across(tick))}" x2="${round(across(tick))}" y1="36" y2="${bottom}"/>` +
        `<text x="${round(across(tick))}" y="${bottom + 20}" text-anchor="middle">${number.format(tick)}</text>`,
    ),
    `<text x="${(left + right) / 2}" y="${bottom + 42}" text-anchor="middle">${escapeXml(x.label)}</text>`,
    ...bars.map(({ name, parts }, at) => {
      const y = round(down(at) ?? 0);
      let from = x.log ? left : across(0);
      let sum = 0;
      const boxes = parts.map((part) => {
        sum += part.value;
        const to = across(sum);
        const box = `<rect class="fill c${partNames.indexOf(part.name) % 7}" x="${round(from)}" y="${y}" width="${round(Math.max(0, to - from))}" height="${round(down.bandwidth())}"/>`;
        from = to;
        return box;
      });
      const middle = y + round(down.bandwidth() / 2) + 4;
      return (
        `<text x="${left - 8}" y="${middle}" text-anchor="end">${escapeXml(name)}</text>${boxes.join("")}` +
        `<text x="${round(from) + 6}" y="${middle}">${number.format(shown(totals[at] ?? 0))}</text>`
      );
    }),
    partNames.length > 1
      ? legend(
          partNames,
          bottom + 66,
          (_, y) => `<rect class="fill" x="30" y="${y - 11}" width="14" height="14"/>`,
          10,
        )
      : "",
  ];
  const legendHeight = partNames.length > 1 ? 26 + 20 * partNames.length : 0;
  return svg(title, description, bottom + 54 + legendHeight, body.join("\n"));
}

/** Of a log scale's ticks the powers of ten, and with fewer than three of those their doubles and fives. */
function wholeDecades(ticks: number[], log: boolean | undefined): number[] {
  if (!log) return ticks;
  const lead = (tick: number): number => Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9));
  const decades = ticks.filter((tick) => lead(tick) === 1);
  return decades.length >= 3 ? decades : ticks.filter((tick) => [1, 2, 5].includes(lead(tick)));
}

function legend(names: string[], top: number, mark: (at: number, y: number) => string, left: number): string {
  return names
    .map((name, at) => {
      const y = top + 20 * at;
      return `<g class="c${at % 7}">${mark(at, y)}<text class="name" x="${left + 44}" y="${y}">${escapeXml(name)}</text></g>`;
    })
    .join("\n");
}

function svg(title: string, description: string, height: number, body: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">
<title id="title">${escapeXml(title)}</title>
<desc id="description">${escapeXml(description)}</desc>
<style>${style}
</style>
<rect class="ground" width="${width}" height="${height}"/>
${body}
</svg>
`;
}

/** Three digits are enough beside a bar. */
const shown = (value: number): number => (value < 1000 ? Number(value.toPrecision(3)) : Math.round(value));
const round = (value: number): number => Math.round(value * 10) / 10;
const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
