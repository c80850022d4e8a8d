/** Colours by role and meaning; both schemes keep a contrast that can be read. */
export const style = `
:root { color-scheme: light dark; --ground: #fff; --text: #1c2430; --quiet: #5b6675; --line: #d8dee6; --panel: #f5f7fa;
  --write: #2f6fb4; --primary: #2e8b57; --replica: #a9c7e4; --refusing: #e0a030; --waiting: #b05cc0; --silent: #c8cdd4;
  --good: #1d7a46; --bad: #b3261e; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --text: #e4e8ee; --quiet: #9aa5b3; --line: #303844;
  --panel: #1a2029; --write: #6aa7e8; --primary: #4fbf80; --replica: #35506b; --refusing: #c98f2a; --waiting: #c583d2; --silent: #444c57;
  --good: #5fd08f; --bad: #ff8a80; --open: #e6b84d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2rem 1.5rem 4rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
a { color: inherit; } h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 2rem 0 .25rem; } p { margin: .25rem 0; } .quiet { color: var(--quiet); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: 13px; }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; white-space: normal; vertical-align: bottom; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; padding: .1rem .55rem; border-radius: 1rem; font-size: .85em; font-weight: 600;
  border: 1px solid currentColor; }
.kept, .green { color: var(--good); } .broken, .late, .red { color: var(--bad); } .open { color: var(--open); }
.round { background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: .75rem 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: .75rem; } .plots .round { margin: 0; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--quiet); font: 11px system-ui, sans-serif; }
.area { fill: var(--write); } .axis { stroke: var(--line); } .mark { stroke: var(--bad); stroke-width: 1.5; }
.mark.heal, .mark.whole { stroke: var(--good); } .mark.heal { stroke-dasharray: 4 3; }
svg .lane-primary { fill: var(--primary); } svg .lane-replica { fill: var(--replica); }
svg .lane-refusing { fill: var(--refusing); } svg .lane-waiting { fill: var(--waiting); } svg .lane-silent { fill: var(--silent); }
.legend span { margin-right: 1rem; white-space: nowrap; } .legend i { display: inline-block; width: .9em; height: .9em; border-radius: .2em;
  margin-right: .35em; vertical-align: -.1em; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
`;
