"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const mark = (seconds) => {
    const whole = Math.max(0, seconds);
    const minutes = Math.floor(whole / 60);
    const rest = whole - 60 * minutes;
    return minutes + ":" + (rest < 10 ? "0" : "") + (rest % 1 ? rest.toFixed(1) : rest);
  };
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

  const plots = [];

  /* Bands for what the call was going through, marks for warnings, a line where the client begins to warn. */
  const annotations = (call, chart) => (u) => {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const x = (at) => Math.round(u.valToPos(at, "x", true));
    ctx.save();
    for (const band of call.bands) {
      ctx.fillStyle = css(band.state === "held" ? "--calm-soft" : "--fair-soft");
      ctx.globalAlpha = 0.6;
      ctx.fillRect(x(band.from), bbox.top, Math.max(1, x(band.to) - x(band.from)), bbox.height);
    }
    ctx.globalAlpha = 1;
    const top = u.scales.y.max, bottom = u.scales.y.min;
    if (chart.threshold !== null && chart.threshold < top && chart.threshold > bottom) {
      const y = Math.round(u.valToPos(chart.threshold, "y", true));
      ctx.strokeStyle = css("--err");
      ctx.globalAlpha = 0.55;
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.lineWidth = ratio;
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
    }
    ctx.setLineDash([]);
    for (const note of call.notes) {
      if (note.at < u.scales.x.min || note.at > u.scales.x.max) continue;
      const at = x(note.at);
      ctx.globalAlpha = 0.85;
      ctx.strokeStyle = ctx.fillStyle = css(note.level === "error" ? "--err" : "--warn");
      ctx.lineWidth = ratio;
      ctx.beginPath(); ctx.moveTo(at, bbox.top); ctx.lineTo(at, bbox.top + bbox.height); ctx.globalAlpha = 0.35; ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.beginPath(); ctx.moveTo(at - 4 * ratio, bbox.top); ctx.lineTo(at + 4 * ratio, bbox.top); ctx.lineTo(at, bbox.top + 6 * ratio); ctx.fill();
    }
    ctx.restore();
  };

  const range = (chart) => (u, low, high) => {
    if (chart.name === "mos") return [1, 4.6];
    if (chart.name === "levels") return [-60, 0];
    const least = { loss: 2, rtt: 10, jitter: 10, rates: 20 }[chart.name] || 1;
    return [0, Math.max(least, (high || 0) * 1.15)];
  };

  const draw = (call, holder, chart) => {
    const colours = ["--s1", "--s2"];
    const digits = { mos: 2, loss: 2, levels: 0 }[chart.name] ?? 1;
    const unit = chart.unit ? " " + chart.unit : "";
    const series = [{ value: (u, at) => (at === null || at === undefined ? "–" : mark(at)), label: "at" }];
    /* Nobody points at anything: the mean. */
    const idle = chart.values.map((values) => {
      const known = values.filter((value) => value !== null);
      return known.length ? "⌀ " + (known.reduce((sum, value) => sum + value, 0) / known.length).toFixed(digits) + unit : "–";
    });
    chart.labels.forEach((label, index) => series.push({
      label: label + " ", stroke: () => css(colours[index]), width: 1.75, points: { show: call.times.length < 3, size: 5 },
      fill: index === 0 && chart.labels.length === 1 && chart.name !== "mos" ? () => css(colours[0]) + "1f" : undefined,
      value: (u, value, which, at) => (at === null || at === undefined ? idle[index] : value === null ? "–" : value.toFixed(digits) + unit),
    }));
    const axis = { stroke: () => css("--dim"), font: "11px " + css("--font"), ticks: { show: false } };
    const grid = { stroke: () => css("--line"), width: 1 };
    const plot = new uPlot({
      width: Math.max(200, holder.clientWidth), height: 150, series,
      padding: [8, 16, 0, 0],
      legend: { live: true, markers: { width: 0, fill: (u, index) => (index ? css(colours[index - 1]) : "transparent") } },
      cursor: { sync: { key: "call" + call.begin }, points: { size: 6 }, drag: { x: true, y: false } },
      scales: { x: { time: false, range: (u, low, high) => (low === null ? [0, call.length] : [low, high]) }, y: { range: range(chart) } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, incrs: steps, space: 60, values: (u, values) => values.map(mark) },
        { ...axis, grid, size: 42, space: 32 },
      ],
      hooks: { drawClear: [annotations(call, chart)] },
    }, [call.times, ...chart.values], holder);
    plot.setScale("x", { min: 0, max: call.length });
    holder.title = call.notes.length ? call.notes.map((note) => mark(note.at) + "  " + note.text).join("\n") : "";
    plots.push([plot, holder]);
  };

  document.querySelectorAll("article.call").forEach((article) => {
    const call = data.calls[Number(article.dataset.call)];
    article.querySelectorAll("[data-chart]").forEach((holder) => {
      draw(call, holder, call.charts.find((chart) => chart.name === holder.dataset.chart));
    });
    const axis = article.querySelector("[data-axis]");
    if (axis) {
      const step = steps.find((each) => call.length / each <= Math.max(2, axis.clientWidth / 90)) || 14400;
      const marks = [];
      for (let at = 0; at < call.length - step / 2; at += step) marks.push(at);
      marks.push(call.length);
      for (const at of marks) {
        const label = document.createElement("span");
        label.textContent = mark(at === call.length ? Math.round(at * 10) / 10 : at);
        label.style.left = (100 * at) / call.length + "%";
        axis.append(label);
      }
    }
  });

  const wave = document.querySelector("[data-wave]");
  const drawWave = () => {
    if (!wave) return;
    const canvas = wave.firstElementChild, ratio = devicePixelRatio || 1;
    const width = (canvas.width = Math.round(wave.clientWidth * ratio)), height = (canvas.height = Math.round(wave.clientHeight * ratio));
    const ctx = canvas.getContext("2d"), channels = data.wave.channels, tall = height / channels.length;
    channels.forEach(([high, low], index) => {
      const middle = tall * (index + 0.5), scale = tall / 2 / 132, column = width / Math.max(1, high.length);
      ctx.fillStyle = css("--line");
      ctx.fillRect(0, Math.round(middle), width, 1);
      ctx.fillStyle = css(index ? "--s2" : "--s1");
      high.forEach((peak, at) => {
        const top = middle - peak * scale, bottom = middle - low[at] * scale;
        if (bottom - top > 0.5) ctx.fillRect(at * column, top, Math.max(column * 0.75, 0.75), bottom - top);
      });
    });
  };
  drawWave();

  const redraw = () => {
    plots.forEach(([plot, holder]) => {
      const width = Math.max(200, holder.clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: 150 }); else plot.redraw(false, true);
    });
    drawWave();
  };
  new ResizeObserver(redraw).observe(document.querySelector("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraw();
  });
  const hide = document.getElementById("hide");
  if (hide) hide.addEventListener("click", () => {
    const hidden = document.body.classList.toggle("hide");
    hide.setAttribute("aria-pressed", String(hidden));
    hide.textContent = hidden ? "Show people" : "Hide people";
  });
  document.querySelectorAll("[data-show]").forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll("[data-show]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    document.getElementById("ladder").dataset.shown = button.dataset.show;
  }));

  /* One line over everything that has a time, where the recording is; a click anywhere goes there. */
  const audio = document.querySelector("audio");
  if (audio) {
    const article = audio.closest("article"), call = data.calls[Number(article.dataset.call)];
    const line = (holder, place, time) => {
      const head = document.createElement("i");
      head.className = "playhead";
      holder.append(head);
      holder.addEventListener("click", (event) => {
        audio.currentTime = Math.max(0, time(event.clientX - holder.getBoundingClientRect().left));
        move();
      });
      return (now) => { head.style.left = place(now) + "px"; };
    };
    const scaled = (holder, length, begin) => line(
      holder, (now) => ((now + begin) / length) * holder.clientWidth, (x) => (x / holder.clientWidth) * length - begin);
    const heads = plots.filter(([, holder]) => article.contains(holder)).map(([plot]) => line(
      plot.over, (now) => plot.valToPos(now + call.active, "x"), (x) => plot.posToVal(x, "x") - call.active));
    article.querySelectorAll(".track:not([data-axis])").forEach((track) => heads.push(scaled(track, call.length, call.active)));
    heads.push(scaled(wave, data.wave.seconds, 0));
    const move = () => heads.forEach((head) => head(audio.currentTime));
    const follow = () => { move(); if (!audio.paused) requestAnimationFrame(follow); };
    audio.addEventListener("play", follow);
    audio.addEventListener("timeupdate", move);
    audio.addEventListener("seeked", move);
    move();
  }
  document.documentElement.dataset.drawn = String(plots.length);
})();
