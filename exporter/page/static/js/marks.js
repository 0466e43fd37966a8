// What is painted on the z chart beside its line: the threshold, zero, and the alerts.

import { colour } from "./theme.js";

// The time in which an alert was open, as a shade.
export function paintAlerts(plot, alerts, { end, length }) {
  const { ctx, bbox } = plot;
  ctx.save();
  clip(ctx, bbox);
  ctx.fillStyle = `color-mix(in srgb, ${colour("beyond")} 14%, transparent)`;
  for (const alert of alerts) {
    const from = plot.valToPos(alert.opened_at, "x", true);
    const to = plot.valToPos((alert.closed_at ?? end) + length, "x", true);
    ctx.fillRect(from, bbox.top, Math.max(to - from, devicePixelRatio), bbox.height);
  }
  ctx.restore();
}

// Lines across at the levels, and a mark where each alert opened.
export function paintLevels(plot, levels, alerts) {
  const { ctx, bbox } = plot;
  ctx.save();
  clip(ctx, bbox);
  ctx.lineWidth = devicePixelRatio;
  for (const [level, name] of levels) {
    const y = Math.round(plot.valToPos(level, "y", true)) + 0.5;
    ctx.strokeStyle = colour(name);
    ctx.setLineDash(level ? [5 * devicePixelRatio, 4 * devicePixelRatio] : []);
    ctx.globalAlpha = level ? 0.9 : 0.5;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
  ctx.fillStyle = colour("beyond");
  for (const alert of alerts) triangle(ctx, plot.valToPos(alert.opened_at, "x", true), plot.valToPos(alert.opened_zscore, "y", true), alert.opened_zscore > 0);
  ctx.restore();
}

// Points down where the spread is to be sold, and up where it is to be bought.
function triangle(ctx, x, y, down) {
  const size = 5 * devicePixelRatio;
  const base = down ? y - size : y + size;
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(x - 0.7 * size, base);
  ctx.lineTo(x + 0.7 * size, base);
  ctx.fill();
}

function clip(ctx, { left, top, width, height }) {
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
}
