"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  // As probabilities() in reviewbot/lab/temperature.py.
  function probabilities(logits, temperature, topK, topP) {
    const ranked = logits.map((_, at) => at).sort((a, b) => logits[b] - logits[a] || a - b);
    const best = logits[ranked[0]];
    let weights = temperature === 0
      ? [[ranked[0], 1]]
      : ranked.map((at) => [at, Math.exp((logits[at] - best) / temperature)]);
    if (topK) weights = weights.slice(0, topK);
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    const kept = [];
    let reached = 0;
    for (const [at, weight] of weights) {
      kept.push([at, weight]);
      reached += weight / total;
      if (reached >= topP) break;
    }
    const whole = kept.reduce((sum, [, weight]) => sum + weight, 0);
    const shares = logits.map(() => 0);
    for (const [at, weight] of kept) shares[at] = weight / whole;
    return shares;
  }

  const { tokens, logits } = data.distribution;
  const sliders = { t: byId("t"), k: byId("k"), p: byId("p") };
  const rows = [...byId("distribution").tBodies[0].rows];
  let shares = [];

  function update() {
    const [t, k, p] = ["t", "k", "p"].map((name) => Number(sliders[name].value));
    const said = { t: t.toFixed(2), k: k ? String(k) : "off", p: p.toFixed(2) };
    for (const name of ["t", "k", "p"]) {
      document.querySelector(`output[for="${name}"]`).textContent = said[name];
    }
    shares = probabilities(logits, t, k, p);
    let bits = 0;
    shares.forEach((share, at) => {
      rows[at].cells[1].textContent = share ? `${(100 * share).toFixed(1)} %` : "–";
      rows[at].querySelector("rect").setAttribute("width", String(100 * share));
      if (share > 0) bits -= share * Math.log2(share);
    });
    byId("bits").textContent = `${Math.abs(bits).toFixed(1)} bits of choice`;
  }

  function draw() {
    const drawn = Array.from({ length: 20 }, () => {
      let left = Math.random();
      const at = shares.findIndex((share) => (left -= share) < 0);
      return tokens[at < 0 ? shares.indexOf(Math.max(...shares)) : at];
    });
    byId("drawn").textContent = drawn.join(" ");
  }

  for (const slider of Object.values(sliders)) slider.addEventListener("input", update);
  byId("draw").addEventListener("click", draw);
  update();

  const { end, findings, pieces } = data.stream;
  let frame = 0;

  function item(list, text) {
    const entry = document.createElement("li");
    entry.textContent = text;
    list.append(entry);
  }

  function play() {
    cancelAnimationFrame(frame);
    const speed = Number(byId("speed").value);
    const [streamed, buffered, wire] = ["streamed", "buffered", "wire"].map(byId);
    streamed.replaceChildren();
    buffered.replaceChildren();
    wire.textContent = "";
    let [piece, finding, text] = [0, 0, ""];
    const begun = performance.now();
    const step = (now) => {
      const at = Math.min(((now - begun) / 1000) * speed, end);
      while (piece < pieces.length && pieces[piece][0] <= at) text += pieces[piece++][1];
      wire.textContent = text.slice(-1500);
      wire.scrollTop = wire.scrollHeight;
      while (finding < findings.length && findings[finding][0] <= at) {
        const [when, title] = findings[finding++];
        item(streamed, `${when.toFixed(1)} s: ${title}`);
      }
      byId("clock").textContent = `${at.toFixed(1)} s`;
      if (at < end) {
        frame = requestAnimationFrame(step);
      } else {
        for (const [, title] of findings) item(buffered, `${end.toFixed(1)} s: ${title}`);
      }
    };
    frame = requestAnimationFrame(step);
  }

  byId("play").addEventListener("click", play);
})();
