/* Damped Jacobi on -u'' = 0 with 63 unknowns: the error after each sweep, and its waves. */
(function () {
  "use strict";
  var mg = window.mgtutorial, N = 64;

  /* The error after some sweeps, from one at the n - 1 points inside. */
  function errors(start, omega, sweeps) {
    var m = start.length, u = new Float64Array(m + 2), v = new Float64Array(m + 2);
    u.set(start, 1);
    for (var i = 0; i < sweeps; i++) {
      for (var j = 1; j <= m; j++) v[j] = u[j] - omega * (u[j] - (u[j - 1] + u[j + 1]) / 2);
      var old = u;
      u = v;
      v = old;
    }
    return Array.from(u.subarray(1, m + 1));
  }

  /* Amplitudes of the sine waves k = 1, ..., n - 1 in an error. */
  function waves(error) {
    var n = error.length + 1, found = [];
    for (var k = 1; k < n; k++) {
      var sum = 0;
      for (var j = 1; j < n; j++) sum += error[j - 1] * SINES[(j * k) % (2 * n)];
      found.push((2 / n) * sum);
    }
    return found;
  }
  var SINES = Array.from({ length: 2 * N }, function (_, j) { return Math.sin((Math.PI * j) / N); });

  /* What one sweep multiplies wave k by. */
  function factors(omega, n) {
    return Array.from({ length: n - 1 }, function (_, i) {
      var s = Math.sin((Math.PI * (i + 1)) / (2 * n));
      return 1 - 2 * omega * s * s;
    });
  }

  function norm(values) { return Math.hypot.apply(null, values); }
  function at(f) {
    return Array.from({ length: N - 1 }, function (_, i) { return f((i + 1) / N, i); });
  }
  /* The same noise for every reader. */
  function noise() {
    var seed = 1;
    return at(function () {
      seed = (seed * 16807) % 2147483647;
      return (2 * seed) / 2147483647 - 1;
    });
  }
  var STARTS = {
    "noise": noise,
    "one smooth wave": function () { return at(function (x) { return Math.sin(2 * Math.PI * x); }); },
    "one rough wave": function () { return at(function (x) { return Math.sin(40 * Math.PI * x); }); },
    "both": function () { return at(function (x) {
      return 0.6 * Math.sin(2 * Math.PI * x) + 0.4 * Math.sin(40 * Math.PI * x); }); },
    "a step": function () { return at(function (x) { return x > 0.35 && x < 0.7 ? 0.9 : 0; }); },
    "nothing: draw!": function () { return at(function () { return 0; }); },
  };
  mg.smoothing = { errors: errors, waves: waves, factors: factors, starts: STARTS };

  mg.live("smoothing", function (live) {
    var start = noise(), point = 0, before = null, LEFT = 34, TOP = 1.15;
    var actions = {};
    Object.keys(STARTS).forEach(function (name) {
      actions[name] = function () { start = STARTS[name](); };
    });
    live.buttons("The error at the start", actions);
    var x = function (w, i) { return LEFT + ((w - LEFT - 6) * i) / N; };
    var y = function (h, e) { return (h * (TOP - e)) / (2 * TOP); };

    var screen = live.canvas("The error over the interval. Draw it with the mouse or a finger; " +
      "with the keyboard, left and right choose a point, up and down move it, and the keys " +
      "1 to 6 choose a start.",
    function (w) { return Math.min(230, 0.52 * w); }, function (c, w, h, colours) {
      mg.line(c, [[LEFT, y(h, 0)], [w, y(h, 0)]], colours.faint);
      ["1", "0", "\u22121"].forEach(function (t, i) {
        mg.text(c, t, LEFT - 6, y(h, 1 - i) + 4, colours.ink, "right");
      });
      var curve = function (e) {
        return [0].concat(e, 0).map(function (v, i) {
          return [x(w, i), y(h, Math.max(-9, Math.min(9, v)))]; });
      };
      mg.line(c, curve(start), colours.faint, 1.5);
      mg.line(c, curve(errors(start, +omega.value, +sweeps.value)), colours.blue, 2.5);
      if (document.activeElement === screen) {
        c.fillStyle = colours.red;
        c.fillRect(x(w, point + 1) - 4, y(h, start[point]) - 4, 8, 8);
      }
      mg.text(c, "the error", w - 8, 16, colours.ink, "right");
    }, true);

    live.canvas("Above, how much of each wave the error holds; below, what one sweep multiplies " +
      "it by. The upper half of the frequencies is shaded.",
    function (w) { return Math.min(270, 0.72 * w); }, function (c, w, h, colours) {
      var half = h / 2 - 14, factor = factors(+omega.value, N), was = waves(start);
      var is = waves(errors(start, +omega.value, +sweeps.value));
      c.fillStyle = colours.shade;
      c.fillRect(x(w, N / 2), 0, w - x(w, N / 2), h - 22);
      was.forEach(function (a, i) {
        [[a, colours.faint], [is[i], colours.blue]].forEach(function (bar) {
          var tall = half * Math.min(1, 1.5 * Math.sqrt(Math.abs(bar[0])));
          c.fillStyle = bar[1];
          c.fillRect(x(w, i + 1) - 1.5, half - tall, Math.max(2, w / 160), tall);
        });
      });
      mg.text(c, "how much of each wave (root scale)", w - 8, 14, colours.ink, "right");
      var to = function (v) { return half + 14 + ((half - 8) * (1.4 - v)) / 2.8; };
      ["1", "0", "\u22121"].forEach(function (t, i) {
        mg.line(c, [[LEFT, to(1 - i)], [w, to(1 - i)]], colours.faint, 1, i === 1 ? [] : [3, 3]);
        mg.text(c, t, LEFT - 6, to(1 - i) + 4, colours.ink, "right");
      });
      mg.line(c, factor.map(function (v, i) { return [x(w, i + 1), to(v)]; }), colours.red, 2.5);
      mg.text(c, "factor of one sweep", LEFT + 8, to(-1) - 6, colours.red);
      mg.text(c, "smooth waves", LEFT + 4, h - 6, colours.ink);
      mg.text(c, "rough waves", w - 8, h - 6, colours.ink, "right");
    });

    var omega = live.range("damping \u03c9", 0, 1.2, 0.01, 0.67,
      function (v) { return v.toFixed(2); });
    var sweeps = live.range("sweeps", 0, 200, 1, 5, String);
    var words = live.words();
    [omega, sweeps].forEach(function (input) { input.addEventListener("input", tell); });
    live.root.addEventListener("click", tell);

    function tell() {
      var was = waves(start), is = waves(errors(start, +omega.value, +sweeps.value));
      var left = function (from, to) {
        var all = norm(was.slice(from, to));
        return all < 1e-12 ? "there was nothing" :
          mg.percent(norm(is.slice(from, to)) / all) + " is left";
      };
      var worst = Math.max.apply(null, factors(+omega.value, N).slice(N / 2 - 1).map(Math.abs));
      words.textContent = "Of the smooth half " + left(0, N / 2 - 1) + ", of the rough half " +
        left(N / 2 - 1, N) + ". The worst factor of a rough wave is " + worst.toFixed(2) + ".";
    }
    function put(px, py) {
      var i = Math.round(((px - LEFT) * N) / (screen.clientWidth - LEFT - 6)) - 1;
      i = Math.max(0, Math.min(N - 2, i));
      var v = TOP - (2 * TOP * py) / screen.clientHeight;
      v = Math.max(-1, Math.min(1, v));
      var from = before === null ? i : before, old = start[from], steps = Math.max(1, Math.abs(i - from));
      for (var s = 0; s <= steps; s++) {
        var t = before === null ? 1 : s / steps; // a quick stroke leaves no gaps
        start[from + Math.sign(i - from) * s] = old + t * (v - old);
      }
      before = point = i;
      tell();
      return true;
    }
    live.pointer(screen, function (px, py) { before = null; return put(px, py); }, put);
    live.keys(screen, function (key) {
      var names = Object.keys(STARTS);
      if (key >= "1" && key <= String(names.length)) start = STARTS[names[key - 1]]();
      else if (key === "ArrowLeft") point = Math.max(0, point - 1);
      else if (key === "ArrowRight") point = Math.min(N - 2, point + 1);
      else if (key === "ArrowUp") start[point] = Math.min(1, start[point] + 0.1);
      else if (key === "ArrowDown") start[point] = Math.max(-1, start[point] - 0.1);
      else return false;
      tell();
      return true;
    });
    ["focus", "blur"].forEach(function (e) { screen.addEventListener(e, live.change.bind(live)); });
    tell();
    live.start = function () { return start.slice(); };
    return live;
  });
})();
