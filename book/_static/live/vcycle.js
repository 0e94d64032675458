/* A V-cycle on the square, step by step, beside a network that goes the same way down. */
(function () {
  "use strict";
  var mg = window.mgtutorial, DEPTH = 4;

  /* A u = (4 u - neighbours) / h^2 on the m x m points inside, zero around them. */
  function apply(u, m) {
    var v = new Float64Array(m * m), scale = (m + 1) * (m + 1);
    for (var i = 0, at = 0; i < m; i++) for (var j = 0; j < m; j++, at++) {
      v[at] = scale * (4 * u[at] - (i ? u[at - m] : 0) - (i < m - 1 ? u[at + m] : 0) -
        (j ? u[at - 1] : 0) - (j < m - 1 ? u[at + 1] : 0));
    }
    return v;
  }
  function residual(u, f, m) {
    return apply(u, m).map(function (v, at) { return f[at] - v; });
  }
  /* One step of Jacobi's iteration with damping 4/5. */
  function smooth(u, f, m) {
    var d = 4 * (m + 1) * (m + 1);
    return residual(u, f, m).map(function (r, at) { return u[at] + (0.8 * r) / d; });
  }
  function onto(r, m, weight) { // to every second point, from it and its neighbours
    var c = (m - 1) / 2, v = new Float64Array(c * c);
    for (var i = 0; i < c; i++) for (var j = 0; j < c; j++) {
      for (var p = -1; p < 2; p++) for (var q = -1; q < 2; q++) {
        v[i * c + j] += weight(p, q) * r[(2 * i + 1 + p) * m + 2 * j + 1 + q];
      }
    }
    return v;
  }
  function fullWeighting(p, q) { return 1 / (4 << (Math.abs(p) + Math.abs(q))); }
  function injection(p, q) { return p || q ? 0 : 1; }
  function interpolate(e, c) {
    var m = 2 * c + 1, v = new Float64Array(m * m);
    for (var i = 0; i < c; i++) for (var j = 0; j < c; j++) {
      for (var p = -1; p < 2; p++) for (var q = -1; q < 2; q++) {
        v[(2 * i + 1 + p) * m + 2 * j + 1 + q] += 4 * fullWeighting(p, q) * e[i * c + j];
      }
    }
    return v;
  }
  /* The exact solution, by sines. */
  function solve(f, m) {
    var n = m + 1, s = function (j, k) { return Math.sin((Math.PI * (j + 1) * (k + 1)) / n); };
    var turn = function (v) { // along the columns, and transposed
      return v.map(function (_, at) {
        var sum = 0;
        for (var i = 0; i < m; i++) sum += s(i, at % m) * v[i * m + Math.floor(at / m)];
        return sum * Math.sqrt(2 / n);
      });
    };
    var value = function (k) { return 4 * n * n * Math.pow(Math.sin((Math.PI * (k + 1)) / (2 * n)), 2); };
    var waves = turn(turn(f)).map(function (v, at) {
      return v / (value(Math.floor(at / m)) + value(at % m));
    });
    return turn(turn(waves));
  }

  /* All steps of one V-cycle of the full approximation scheme for A u = 0, from the error u. */
  function states(u, sweeps) {
    var found = [], m = Math.round(Math.sqrt(u.length));
    function visit(level, m, u, f) {
      var put = function (name) { found.push({ level: level, name: name, size: m, u: u }); };
      if (level === DEPTH - 1) {
        u = solve(f, m);
        put("solve");
        return u;
      }
      for (var i = 0; i < sweeps; i++) u = smooth(u, f, m);
      put("smooth");
      var c = (m - 1) / 2, first = onto(u, m, injection), r = onto(residual(u, f, m), m, fullWeighting);
      var right = apply(first, c).map(function (v, at) { return v + r[at]; });
      found.push({ level: level + 1, name: "restrict", size: c, u: first });
      var coarse = visit(level + 1, c, first, right);
      var e = interpolate(coarse.map(function (v, at) { return v - first[at]; }), c);
      u = u.map(function (v, at) { return v + e[at]; });
      put("correct");
      for (i = 0; i < sweeps; i++) u = smooth(u, f, m);
      put("smooth again");
      return u;
    }
    found.push({ level: 0, name: "start", size: m, u: Float64Array.from(u) });
    visit(0, m, Float64Array.from(u), new Float64Array(m * m));
    return found;
  }

  /* The cover's kind of error: noise on two hills, the same for every reader. */
  function start(m) {
    var seed = 3, u = new Float64Array(m * m);
    for (var at = 0; at < m * m; at++) {
      seed = (seed * 16807) % 2147483647;
      u[at] = Math.sin((2 * Math.PI * (1 + Math.floor(at / m))) / (m + 1)) *
        Math.sin((Math.PI * (1 + (at % m))) / (m + 1)) + 3 * (seed / 2147483647 - 0.5);
    }
    return u;
  }
  mg.vcycle = { states: states, start: start };

  var SAYS = {
    "start": ["An error: noise on two hills.", "An image."],
    "smooth": ["u \u2190 u + B (f \u2212 A u), twice. What is rough goes.",
      "Two residual blocks, with learned A and B: the same formula."],
    "restrict": ["What is left goes to half as many points a side.",
      "Convolutions of stride 2."],
    "solve": ["Few points: solved exactly.", "The head: means over the pixels, then classes."],
    "correct": ["u \u2190 u + P (u\u2032 \u2212 \u03a0u): the correction of the coarse grid comes up.",
      "A classifier leaves this way back out; networks that return an image take it."],
    "smooth again": ["What the correction roughened is smoothed.", "As before."],
  };

  mg.live("vcycle", function (live) {
    var all = states(start(63), 2), playing = 0, COLUMNS = 2 * DEPTH - 1;
    var column = all.map(function (s, i) {
      var up = s.name === "correct" || s.name === "smooth again";
      return up ? COLUMNS - 1 - s.level : s.level;
    });
    var pictures = all.map(paint);

    /* The error as a picture of as many pixels as the grid has points. */
    function paint(state) {
      var m = state.size, canvas = document.createElement("canvas");
      canvas.width = canvas.height = m;
      var g = canvas.getContext("2d"), image = g.createImageData(m, m);
      state.u.forEach(function (v, at) {
        var t = Math.max(-1, Math.min(1, v / 1.5)), a = Math.sqrt(Math.abs(t));
        var end = t > 0 ? [178, 24, 43] : [33, 102, 172];
        for (var c = 0; c < 3; c++) image.data[4 * at + c] = 247 + a * (end[c] - 247);
        image.data[4 * at + 3] = 255;
      });
      g.putImageData(image, 0, 0);
      return canvas;
    }
    function layout(w) {
      var beside = w > 560, half = beside ? w * 0.58 : w, room = (half - 8) / COLUMNS;
      return { beside: beside, half: half, room: room, row: room + 20, top: 26 };
    }
    function place(l, level, column) {
      var side = (l.room - 6) * (1 - 0.12 * level);
      return [4 + column * l.room + (l.room - side) / 2, l.top + level * l.row + (l.room - side) / 2, side];
    }

    var screen = live.canvas("Left, the grids of a V-cycle from fine to coarse and back, each with " +
      "its error; right, the images of a network from large to small.",
    function (w) {
      var l = layout(w), high = l.top + DEPTH * l.row + 8;
      return l.beside ? high : 2 * high;
    }, function (g, w, h, colours) {
      var l = layout(w), now = +step.value, seen = {};
      all.slice(0, now + 1).forEach(function (s, i) { seen[s.level + " " + column[i]] = i; });
      mg.text(g, "multigrid", 6, 16, colours.ink);
      var middle = function (p, x, y) { return [p[0] + p[2] / 2 + x, p[1] + p[2] / 2 + y]; };
      mg.line(g, Array.from({ length: COLUMNS }, function (_, col) {
        return middle(place(l, Math.min(col, COLUMNS - 1 - col), col), 0, 0);
      }), colours.faint, 1.5);
      for (var level = 0; level < DEPTH; level++) [level, COLUMNS - 1 - level].forEach(function (col) {
        var p = place(l, level, col), i = seen[level + " " + col];
        var on = level === all[now].level && col === column[now];
        g.imageSmoothingEnabled = false;
        g.fillStyle = colours.ground;
        g.fillRect(p[0], p[1], p[2], p[2]);
        if (i !== undefined) g.drawImage(pictures[i], p[0], p[1], p[2], p[2]);
        g.strokeStyle = on ? colours.red : colours.faint;
        g.lineWidth = on ? 3 : 1;
        g.strokeRect(p[0], p[1], p[2], p[2]);
        if (col === level) mg.text(g, all[0].size >> level, p[0] + p[2] / 2, p[1] + p[2] + 15, colours.ink, "center");
      });
      var x0 = l.beside ? l.half + 18 : 4, y0 = l.beside ? 0 : h / 2, down = column[now] === all[now].level;
      mg.text(g, "a network for images", x0 + 2, y0 + 16, colours.ink);
      var wide = Math.min(l.room * 1.05, 62);
      mg.line(g, [0, DEPTH - 1].map(function (level) {
        return middle(place(l, level, 0), x0 + level * wide, y0);
      }), colours.faint, 1.5);
      for (level = 0; level < DEPTH; level++) {
        var p = place(l, level, level), x = x0 + level * wide, on = down && level === all[now].level;
        for (var c = level + 1; c >= 0; c--) { // its channels, as sheets behind each other
          g.fillStyle = colours.ground;
          g.strokeStyle = on ? colours.red : down || level === DEPTH - 1 ? colours.blue : colours.faint;
          g.lineWidth = on ? 2.5 : 1;
          g.fillRect(x + 5 * c, y0 + p[1] - 4 * c + 6, p[2] - 8, p[2] - 8);
          g.strokeRect(x + 5 * c, y0 + p[1] - 4 * c + 6, p[2] - 8, p[2] - 8);
        }
        mg.text(g, 32 >> level, x + p[2] / 2 - 4, y0 + p[1] + p[2] + 14, colours.ink, "center");
      }
      var last = place(l, DEPTH - 1, 0);
      mg.text(g, "\u2192 a class", Math.min(w - 4, x0 + DEPTH * wide + 60), y0 + last[1] + last[2] + 14,
        colours.ink, "right");
    });
    var step = live.range("step", 0, all.length - 1, 1, 0, function (v) {
      return v + " of " + (all.length - 1);
    });
    var button = live.buttons("Playing", { "Play": function () { playing ? stop() : play(); } })[0];
    var words = live.words();
    step.addEventListener("input", function () { stop(); tell(); });

    function norm(state) { return Math.hypot.apply(null, Array.from(state.u)) / state.size; }
    function tell() {
      var s = all[+step.value], says = SAYS[s.name];
      words.textContent = s.size + " \u00d7 " + s.size + " points, " + s.name + ". Multigrid: " + says[0] +
        " Network: " + says[1] + (s.level ? "" : " Error: " +
        mg.percent(norm(s) / norm(all[0])) + " of the start.");
    }
    function go(to) { step.set(to); tell(); live.change(); }
    function play() {
      if (+step.value === all.length - 1) go(0);
      button.textContent = "Pause";
      playing = setInterval(function () {
        if (+step.value < all.length - 1) go(+step.value + 1);
        if (+step.value === all.length - 1) stop();
      }, 900);
    }
    function stop() {
      clearInterval(playing);
      playing = 0;
      button.textContent = "Play";
    }
    live.pointer(screen, function (px, py) { // touch a grid to see how it is reached
      var l = layout(screen.clientWidth), found = -1;
      all.forEach(function (s, i) {
        var p = place(l, s.level, column[i]);
        if (px > p[0] && px < p[0] + p[2] && py > p[1] && py < p[1] + p[2]) found = i;
      });
      if (found >= 0) { stop(); go(found); }
      return found >= 0;
    }, function () {});
    tell();
    // it plays once by itself, when it is seen, unless less motion was asked for
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
      var watch = new IntersectionObserver(function (entries) {
        if (entries.some(function (e) { return e.isIntersecting; })) { watch.disconnect(); play(); }
      }, { threshold: 0.6 });
      watch.observe(screen);
    }
    live.step = step;
    return live;
  });
})();
