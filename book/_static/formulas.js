/* Formulas are typeset when they come into view, and the others whenever the page has nothing else
   to do, a few at a time: hundreds of them at once would keep a phone busy for many seconds. In the
   end all are there, for whoever searches the page, hears it or prints it. */
(function () {
  "use strict";
  var state = { inView: 0, all: 0 }; // when they were done, in ms
  (window.mgtutorial = window.mgtutorial || {}).formulas = state;
  var waiting = new Set(), near = [], finished, busy = Promise.resolve();
  state.done = new Promise(function (resolve) { finished = resolve; });

  /* Typeset some formulas, one group after the other. */
  function typeset(formulas) {
    formulas = formulas.filter(function (formula) { return waiting.delete(formula); });
    if (formulas.length) busy = busy.then(function () { return MathJax.typesetPromise(formulas); });
    return busy;
  }

  /* The rest, in document order: as many as fit into 60 ms, as far as the last ones tell. */
  var each = 10, idle = window.requestIdleCallback || function (f) { setTimeout(f, 30); };
  function rest() {
    var next = Array.from(waiting).slice(0, Math.max(1, Math.min(20, Math.floor(60 / each))));
    if (!next.length) return busy.then(end);
    var begun = performance.now();
    typeset(next).then(function () {
      each = 0.5 * each + 0.5 * (performance.now() - begun) / next.length;
      idle(rest, { timeout: 500 });
    });
  }

  function end() {
    state.all = performance.now();
    finished();
  }

  function begin() {
    document.querySelectorAll(".math").forEach(function (formula) { waiting.add(formula); });
    var first = true;
    var observer = new IntersectionObserver(function (entries) {
      var seen = entries.filter(function (e) { return e.isIntersecting; });
      seen.forEach(function (e) { observer.unobserve(e.target); });
      var done = typeset(seen.map(function (e) { return e.target; }));
      if (!first) return;
      first = false;
      done.then(function () {
        state.inView = performance.now();
        idle(rest, { timeout: 500 });
      });
    }, { rootMargin: "200px" });
    waiting.forEach(function (formula) { observer.observe(formula); });
    if (!waiting.size) end();
    window.addEventListener("beforeprint", function () {
      var left = Array.from(waiting);
      waiting.clear();
      if (left.length) MathJax.typeset(left);
    });
  }

  var script = document.querySelector("script[src*='/mathjax/']");
  function ready() { MathJax.startup.promise.then(begin); }
  if (window.MathJax && MathJax.startup && MathJax.startup.promise) ready();
  else if (script) script.addEventListener("load", ready);
})();
