// Moves the threshold: counts, both charts' marks, and the boxes between the evaluation's threshold and the new one.
(() => {
  const root = document.getElementById('explorer');
  if (!root) return;
  document.documentElement.classList.add('js');
  const data = JSON.parse(document.getElementById('explorer-data').textContent);
  const $ = (id) => document.getElementById(id);
  const slider = $('threshold');
  const cards = [...root.querySelectorAll('.card')];
  const percent = (v) => v < 0 ? '–' : v.toFixed(3);

  // Points come by falling threshold: [threshold, true positives, false positives].
  function at(threshold) {
    let lo = 0, hi = data.points.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (data.points[mid][0] >= threshold - 1e-12) lo = mid + 1; else hi = mid;
    }
    const [, tp, fp] = lo > 0 ? data.points[lo - 1] : [0, 0, 0];
    const fn = data.positives - tp;
    return { tp, fp, fn, f1: 2 * tp + fp + fn ? 2 * tp / (2 * tp + fp + fn) : 0, precision: tp + fp ? tp / (tp + fp) : 0, recall: data.positives ? tp / data.positives : 0 };
  }

  const base = at(data.threshold);
  function show(threshold) {
    const now = at(threshold);
    $('live-threshold').textContent = threshold.toFixed(3);
    for (const k of ['f1', 'precision', 'recall']) $('live-' + k).textContent = percent(now[k]);
    for (const [k, good] of [['tp', 1], ['fp', -1], ['fn', -1]]) {
      const d = now[k] - base[k];
      $('live-' + k).innerHTML = now[k] + (d ? ` <small class="${d * good > 0 ? 'up' : 'down'}">${d > 0 ? '+' : '−'}${Math.abs(d)}</small>` : '');
    }
    const x = (threshold - data.lo) / (data.hi - data.lo);
    const line = $('histogram-mark');
    const px = data.left + x * data.width;
    line.setAttribute('x1', px); line.setAttribute('x2', px);
    const dot = $('curve-mark');
    dot.setAttribute('cx', data.left + now.recall * data.width);
    dot.setAttribute('cy', data.top + (1 - now.precision) * data.height);

    const lower = threshold < data.threshold;
    let shown = 0, held = 0;
    for (const c of cards) {
      const s = +c.dataset.score;
      const between = lower ? s >= threshold && s < data.threshold : s >= data.threshold && s < threshold;
      if (between) held++;
      c.classList.toggle('in', between && shown < 36 && ++shown > 0);
      const tag = c.querySelector('.tag');
      tag.textContent = (lower ? 'in: ' : 'out: ') + (tag.classList.contains('tp') ? 'right' : 'wrong');
    }
    const moved = Math.abs(now.tp - base.tp) + Math.abs(now.fp - base.fp);
    $('moved').textContent = !moved ? 'Move the line to see the boxes that come in or go out.'
      : `${moved} ${moved === 1 ? 'box' : 'boxes'} ${lower ? 'more' : 'fewer'} than at ${data.threshold.toFixed(3)}` + (shown < moved ? `; the ${shown} nearest to it are shown` : '') + '.';
  }
  slider.addEventListener('input', () => show(+slider.value));
  $('back').addEventListener('click', () => { slider.value = data.threshold; show(data.threshold); });
  slider.value = data.threshold;
  show(data.threshold);
})();
