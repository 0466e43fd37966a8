// The points that are drawn: those of the first answer, and what each poll brings in their place.

export class Points {
  constructor(answer) {
    this.columns = answer.points;
    this.step = answer.step;
  }

  get time() {
    return this.columns.time;
  }

  get last() {
    return this.time.length ? this.time[this.time.length - 1] : null;
  }

  // From the first point of the answer on it is newer; what is before `start` is not shown any more.
  take(answer) {
    const news = answer.points;
    const from = firstFrom(this.time, answer.start);
    const until = news.time.length ? firstFrom(this.time, news.time[0]) : this.time.length;
    for (const name of Object.keys(this.columns)) {
      this.columns[name] = this.columns[name].slice(from, until).concat(news[name]);
    }
  }

  // Share of the bars with a z-score whose z-score is beyond the threshold.
  shareBeyond() {
    return total(this.columns.beyond) / total(this.columns.counted);
  }

  // The columns side by side, with an empty point where bars are missing: no line is drawn there.
  aligned(names) {
    const columns = names.map((name) => this.columns[name] || []);
    const time = [];
    const values = names.map(() => []);
    this.time.forEach((at, index) => {
      if (index && at - this.time[index - 1] > this.step) {
        time.push(this.time[index - 1] + this.step);
        values.forEach((column) => column.push(null));
      }
      time.push(at);
      values.forEach((column, which) => column.push(columns[which][index] ?? null));
    });
    return [time, ...values];
  }
}

function firstFrom(times, start) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function total(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}
