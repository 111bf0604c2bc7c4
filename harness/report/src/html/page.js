"use strict";
// A cursor on each timeline: the state of every lane at one instant, by mouse, touch or the arrow keys.
for (const figure of document.querySelectorAll(".timeline")) {
  const [from, until, origin, start] = ["from", "until", "origin", "start"].map((key) => Number(figure.dataset[key]));
  const lanes = JSON.parse(figure.querySelector(".lanes").textContent);
  const cursor = figure.querySelector(".cursor");
  const slider = figure.querySelector("input");
  const output = figure.querySelector("output");
  const canvas = figure.querySelector(".canvas");
  const seconds = (at) => ((at - origin) / 1e6).toFixed(2).replace("-", "−") + " s";
  const show = (at) => {
    const states = [];
    for (const [name, parts] of lanes) {
      const part = parts.find(([begin, end]) => begin <= at && at <= end);
      if (part) states.push(`${name}: ${part[2]}`);
    }
    const text = `${seconds(at)} · ${states.join(" · ") || "not judged"}`;
    cursor.hidden = false;
    cursor.style.left = `${(100 * (at - from)) / Math.max(1, until - from)}%`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  const move = (share) => {
    slider.value = String(Math.round(1000 * Math.min(1, Math.max(0, share))));
    show(from + (Number(slider.value) / 1000) * (until - from));
  };
  slider.addEventListener("input", () => move(Number(slider.value) / 1000));
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    move((event.clientX - box.left) / box.width);
  });
  for (const row of figure.parentElement.querySelectorAll("tr[data-at]")) {
    row.addEventListener("pointerenter", () => move((Number(row.dataset.at) - from) / Math.max(1, until - from)));
  }
  figure.querySelector(".inspect").hidden = false;
  move((start - from) / Math.max(1, until - from));
}
// A filter for the logs.
for (const logs of document.querySelectorAll(".logs")) {
  const entries = [...logs.querySelectorAll(".entry")];
  const filter = logs.querySelector(".filter");
  if (entries.length === 0) continue;
  filter.hidden = false;
  filter.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    let shown = 0;
    for (const entry of entries) {
      entry.hidden = !entry.textContent.toLowerCase().includes(wanted);
      shown += entry.hidden ? 0 : 1;
    }
    filter.querySelector("output").textContent = wanted ? `${shown} of ${entries.length}` : "";
  });
}
