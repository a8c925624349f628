/** The style sheet of the report: light and dark by the reader's preference, light and page by page in print. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b1d21; --muted: #5c6470; --rule: #d3d7de; --panel: #f6f7f9; --accent: #0b5cad;
  --dedicated: #c4500a; --floating: #0b62b4; --look-ahead: #1b8fa3; --zero-copy: #1c7c4c; --plain: #97438f;
  --a0: #84878e; --a3: #b98000; --a4: #4338a8; --a5: #0b7a6f;
  --good: #1c7c4c; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15171b; --ink: #e4e6ea; --muted: #9aa3b0; --rule: #3a3f48; --panel: #1d2025; --accent: #79b8f7;
    --dedicated: #f28a4a; --floating: #5caaf2; --look-ahead: #58c5d6; --zero-copy: #56c58c; --plain: #d48fce;
    --a0: #9a9da5; --a3: #e3b341; --a4: #a79ef7; --a5: #4fd1c1;
    --good: #56c58c; --bad: #ff8d85;
  }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --ink: #000; --muted: #444; --rule: #bbb; --panel: #fff; --accent: #000;
    --dedicated: #c4500a; --floating: #0b62b4; --look-ahead: #1b8fa3; --zero-copy: #1c7c4c; --plain: #97438f;
    --a0: #84878e; --a3: #b98000; --a4: #4338a8; --a5: #0b7a6f;
    --good: #000; --bad: #000;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 2.75rem 1.5rem 4rem; max-width: 68rem; color: var(--ink); background: var(--paper);
  font: 15px/1.55 "Source Sans 3", "Source Sans Pro", "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; text-rendering: optimizeLegibility;
}
h1, h2, h3 { line-height: 1.25; text-wrap: balance; font-weight: 650; letter-spacing: -0.008em; }
h1 { font-size: 1.9rem; margin: 0 0 .35rem; }
h2 { font-size: 1.3rem; margin: 3.4rem 0 .7rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p { margin: 0 0 .8rem; max-width: 46rem; text-wrap: pretty; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
code, pre { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { margin: .6rem 0 1rem; padding: .7rem .9rem; background: var(--panel); border: 1px solid var(--rule); overflow-x: auto; }
.lead { font-size: 1.06rem; color: var(--muted); margin-bottom: 1rem; }
.meta { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; margin: 0; padding: 0; list-style: none; color: var(--muted); font-size: .87rem; }
.warning { margin: 1.3rem 0 0; padding: .65rem .9rem; border-left: 3px solid var(--dedicated); background: var(--panel); max-width: none; }
nav ol { margin: 1.4rem 0 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .9rem; }
.keys { display: grid; grid-template-columns: repeat(auto-fill, minmax(14.5rem, 1fr)); gap: 1.3rem 1.6rem; margin: 1rem 0 1.8rem;
  padding: 0; list-style: none; }
.keys li { border-top: 2px solid var(--ink); padding-top: .55rem; }
.keys strong { display: block; font-size: 1.5rem; font-weight: 600; letter-spacing: -.015em; line-height: 1.2; margin-bottom: .2rem; }
.keys li.wide { grid-column: span 2; } .keys table { font-size: 1.15rem; margin-bottom: .35rem; } .keys th { font-size: .84rem; }
.keys span { display: block; font-size: .86rem; line-height: 1.4; color: var(--muted); }
.origin { display: inline-block; font-size: .7rem; font-weight: 600; letter-spacing: .05em; text-transform: uppercase; color: var(--muted);
  border: 1px solid var(--rule); border-radius: 3px; padding: 0 .35em; line-height: 1.5; white-space: nowrap; }
.keys .origin { display: inline-block; margin-top: .45rem; font-size: .66rem; }
.verdicts { width: 100%; }
.verdicts td:first-child { width: 5.2rem; font-weight: 600; white-space: nowrap; }
.verdicts .yes { color: var(--good); } .verdicts .no { color: var(--bad); } .verdicts .open { color: var(--muted); }
.note { margin-top: .9rem; font-size: .84rem; color: var(--muted); }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.2rem 2.4rem; margin-top: 1.4rem; align-items: start; }
figure { margin: 0; grid-column: 1 / -1; min-width: 0; }
figure.half { grid-column: span 1; }
figure > h3 { margin: 0 0 .45rem; font-size: .98rem; max-width: 46rem; }
figure > h3 b { color: var(--muted); font-weight: 600; margin-right: .35em; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem 1.15rem; margin: 0 0 .35rem; padding: 0; list-style: none; font-size: .84rem; }
.legend li { display: inline-flex; align-items: center; gap: .4rem; }
.legend svg { flex: none; }
.chart svg { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .35rem; font-size: .84rem; line-height: 1.5; color: var(--muted); max-width: 52rem; }
details { margin-top: .4rem; font-size: .84rem; }
summary { cursor: pointer; color: var(--accent); width: fit-content; }
.scroll { overflow-x: auto; max-height: 26rem; margin-top: .4rem; }
table { border-collapse: collapse; font-size: .84rem; line-height: 1.4; }
th, td { padding: .22rem .7rem .22rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { font-weight: 600; border-bottom-color: var(--muted); white-space: nowrap; }
th[scope="row"] { border-bottom-color: var(--rule); } .scroll + p, .scroll + ul.plain { margin-top: .5rem; }
td.good { color: var(--good); } td.bad { color: var(--bad); font-weight: 600; }
.scroll.all { max-height: none; }
.scroll th { position: sticky; top: 0; background: var(--paper); }
td.number, th.number { text-align: right; white-space: nowrap; padding-left: .5rem; }
ul.plain { margin: 0 0 .8rem; padding-left: 1.1rem; max-width: 50rem; } ul.plain li { margin-bottom: .35rem; }
.assumed { color: var(--dedicated); font-weight: 600; } .measured { color: var(--good); font-weight: 600; }
footer { margin-top: 3rem; padding-top: .9rem; border-top: 1px solid var(--rule); color: var(--muted); font-size: .82rem; }
@media (max-width: 50rem) {
  body { padding: 1.6rem 1rem 3rem; } .figures { grid-template-columns: minmax(0, 1fr); } figure.half { grid-column: 1 / -1; }
  h1 { font-size: 1.55rem; } .keys li.wide { grid-column: 1 / -1; }
}
@media screen and (max-width: 34rem) {
  .verdicts, .verdicts tbody, .verdicts tr, .verdicts td { display: block; } .verdicts thead { display: none; }
  .verdicts tr { padding: .45rem 0; border-bottom: 1px solid var(--rule); } .verdicts td { padding: 0 0 .1rem; border: 0; }
  .verdicts td:last-child { color: var(--muted); overflow-wrap: anywhere; }
}
@page { size: A4; margin: 16mm 15mm 18mm; }
@media print {
  html { font-size: 9.5pt; } body { padding: 0; max-width: none; font-size: 9.5pt; }
  h2 { break-after: avoid; margin-top: 1.8rem; } h3, .legend { break-after: avoid; }
  figure, .keys li, tr, pre, .warning { break-inside: avoid; }
  nav, .figure-data { display: none; } a { color: inherit; text-decoration: none; }
  .scroll { overflow: visible; max-height: none; } .chart svg { width: 100%; }
}
`
