// Zoom and pan: another span of time, asked of the exporter, which has its finer points.

export class Moves {
  constructor(answer, change) {
    this.answer = answer; // () => the newest answer, or undefined
    this.change = change;
    this.wheeled = null;
  }

  newest() {
    const span = this.spanNow();
    this.change({ from: undefined, to: undefined, range: span?.bars ? `${Math.max(2, span.bars)}` : undefined });
  }

  spanNow() {
    const answer = this.answer();
    if (!answer) return null;
    return { start: answer.start, end: answer.end, length: answer.length, bars: Math.round((answer.end - answer.start) / answer.length) };
  }

  zoomTo(from, to) {
    const answer = this.answer();
    if (!answer) return;
    const least = 10 * answer.length;
    const middle = (from + to) / 2;
    const half = Math.max(to - from, least) / 2;
    const start = Math.floor((middle - half) / answer.length) * answer.length;
    const end = Math.ceil((middle + half) / answer.length) * answer.length;
    this.change({ from: text(start), to: text(end), range: undefined });
  }

  zoom(factor, at = null) {
    const span = this.spanNow();
    if (!span || !span.bars) return;
    const centre = at ?? (span.start + span.end) / 2;
    this.zoomTo(centre - (centre - span.start) * factor, centre + (span.end - centre) * factor);
  }

  // Moves by a share of what is shown.
  by(share) {
    const span = this.spanNow();
    if (!span || !span.bars) return;
    const { first, newest, length } = this.answer();
    const room = [first - span.start, newest - span.end];
    const wanted = Math.round((share * (span.end - span.start)) / length) * length;
    const distance = Math.min(Math.max(wanted, room[0]), room[1]);
    if (distance) this.zoomTo(span.start + distance, span.end + distance);
  }

  // Ctrl or a pinch zooms around the cursor; the wheel alone scrolls the page.
  wheel(plot, event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const at = plot.posToVal(event.offsetX, "x");
    const factor = (this.wheeled?.factor ?? 1) * Math.exp(event.deltaY / 300);
    clearTimeout(this.wheeled?.timer);
    this.wheeled = { factor, timer: setTimeout(() => { this.wheeled = null; this.zoom(Math.min(Math.max(factor, 0.05), 20), at); }, 120) };
  }

  // With Shift the span is moved as far as the pointer is.
  begin(plot, event) {
    const from = event.clientX;
    const width = plot.over.clientWidth;
    document.addEventListener("mouseup", (end) => this.by((from - end.clientX) / width), { once: true });
    return null;
  }
}

// As people read it and the exporter takes it.
function text(seconds) {
  return new Date(1000 * seconds).toISOString().replace(".000", "");
}
