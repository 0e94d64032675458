/* A polynomial by its roots, over the spectrum of convection and diffusion in units of 2 / h^2. */
(function () {
  "use strict";
  var mg = window.mgtutorial, N = 64, ROUNDS = 20;

  /* |q(z)|^2 = product of |1 - z / x|^2; roots are pairs of numbers (real, imaginary). */
  function square(re, im, roots) {
    var value = 1;
    for (var i = 0; i < roots.length; i++) {
      var a = roots[i][0] - re, b = roots[i][1] - im;
      value *= (a * a + b * b) / (roots[i][0] * roots[i][0] + roots[i][1] * roots[i][1]);
    }
    return value;
  }

  /* Steps 1 - s z + t z^2 of the roots: one of degree 2 for a pair of conjugates. */
  function steps(roots) {
    return roots.filter(function (x) { return x[1] >= 0; }).map(function (x) {
      var size = x[0] * x[0] + x[1] * x[1];
      return x[1] === 0 ? [1 / x[0], 0] : [(2 * x[0]) / size, 1 / size];
    });
  }

  /* The operator, on a circle or between two walls; 64 cells. */
  function apply(u, peclet, walls) {
    var m = u.length;
    return u.map(function (v, j) {
      var west = j > 0 ? u[j - 1] : walls ? 0 : u[m - 1];
      var east = j < m - 1 ? u[j + 1] : walls ? 0 : u[0];
      return v - ((1 + peclet) * west + (1 - peclet) * east) / 2;
    });
  }

  /* A rough error of norm 1: the high frequencies, each with a phase of its own. */
  function rough(walls) {
    var u = [];
    for (var j = walls ? 1 : 0; j < N; j++) {
      var sum = 0;
      for (var k = N / 4; k <= N / 2; k++) sum += Math.cos((2 * Math.PI * ((k * j) % N)) / N + k * k);
      u.push(sum);
    }
    var size = Math.hypot.apply(null, u);
    return u.map(function (v) { return v / size; });
  }

  /* Norms of the error after 0, 1, ... rounds of all steps. */
  function norms(peclet, roots, rounds, walls) {
    var e = rough(walls), found = [1], all = steps(roots);
    for (var n = 0; n < rounds; n++) {
      all.forEach(function (step) {
        var once = apply(e, peclet, walls), twice = step[1] ? apply(once, peclet, walls) : once;
        e = e.map(function (v, j) { return v - step[0] * once[j] + step[1] * twice[j]; });
      });
      found.push(Math.hypot.apply(null, e));
    }
    return found;
  }

  /* The greatest |q| on the high frequencies of a grid of 4 N points. */
  function worst(peclet, roots) {
    var found = 0;
    for (var k = N; k <= 2 * N; k++) {
      var t = (Math.PI * k) / (2 * N);
      found = Math.max(found, square(1 - Math.cos(t), peclet * Math.sin(t), roots));
    }
    return Math.sqrt(found);
  }

  /* Two groups of two roots; in each a pair, or two real ones. */
  function roots(groups) {
    return [].concat.apply([], groups.map(function (g) {
      return g.b > 0 ? [[g.a, g.b], [g.a, -g.b]] : [[g.a, 0], [g.other, 0]];
    }));
  }
  var pair = function (a, b) { return { a: a, b: b, other: a }; };
  var real = function (a, other) { return { a: a, b: 0, other: other }; };
  var c = Math.cos(Math.PI / 8) / 2, d = Math.sin(Math.PI / 8) / 2;
  var STARTS = {
    "the interval's best": [real(1.5 + c, 1.5 - c), real(1.5 + d, 1.5 - d)],
    "all at 5": [real(5, 5), real(5, 5)],
    "pairs at the corners": [pair(1, 2), pair(1, 2)],
    "the best two pairs": [pair(1.21364875, 1.95196119), pair(2.27269583, 0.97978092)],
  };
  mg.roots = { square: square, norms: norms, worst: worst, rough: rough, roots: roots,
    starts: STARTS };

  // |q| from each edge to the next, squared: below 1, in blue, a component shrinks. Colours are
  // opaque pixels with the byte of red first.
  var EDGES = [0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8].map(function (v) { return v * v; });
  var BANDS = ["083c7d", "2171b5", "5ba3d0", "a6cee4", "fee2c6", "fdc895", "fda25a", "f77b28",
    "e25508"].map(function (t) {
    return parseInt("ff" + t.slice(4) + t.slice(2, 4) + t.slice(0, 2), 16);
  });

  mg.live("roots", function (live) {
    var groups = [], chosen = 0, LEFT = -0.7, WIDE = 6.4, PIXELS = 128;
    var actions = {};
    Object.keys(STARTS).forEach(function (name) {
      actions[name] = function () {
        groups = STARTS[name].map(function (g) { return Object.assign({}, g); });
        if (words) tell();
      };
    });
    actions["all at 5"]();
    var buffer = document.createElement("canvas"), words;
    buffer.width = buffer.height = PIXELS;
    live.buttons("Roots at the start", actions);
    var scale = function (w) { return Math.min(w, 460) / WIDE; };
    var to = function (w, x, y) {
      var s = scale(w);
      return [(w - s * WIDE) / 2 + (x - LEFT) * s, (WIDE / 2 - y) * s];
    };

    var plane = live.canvas("The complex plane with four roots. Drag one; with the keyboard, the " +
      "keys 1 to 4 choose a root and the arrows move it, further with the shift key.",
    function (w) { return Math.min(w, 460); }, function (g, w, h, colours) {
      var all = roots(groups), image = g.createImageData(PIXELS, PIXELS);
      var pixels = new Uint32Array(image.data.buffer), at = 0;
      for (var i = 0; i < PIXELS; i++) {
        var y = WIDE * (0.5 - (i + 0.5) / PIXELS);
        for (var j = 0; j < PIXELS; j++) {
          var v = square(LEFT + (WIDE * (j + 0.5)) / PIXELS, y, all), band = 0;
          while (band < 8 && v >= EDGES[band]) band++;
          pixels[at++] = BANDS[band];
        }
      }
      buffer.getContext("2d").putImageData(image, 0, 0);
      g.drawImage(buffer, to(w, LEFT, 0)[0], 0, h, h);
      mg.line(g, [to(w, LEFT, 0), to(w, LEFT + WIDE, 0)], "#55606a", 1);
      mg.line(g, [to(w, 0, -WIDE / 2), to(w, 0, WIDE / 2)], "#55606a", 1);
      for (var k = 1; k < 6; k++) {
        g.lineWidth = 3; // a white rim, as a number may stand on any colour
        g.strokeStyle = "#ffffff";
        g.textAlign = "center";
        g.strokeText(k, to(w, k, 0)[0], to(w, k, -0.3)[1]);
        mg.text(g, k, to(w, k, 0)[0], to(w, k, -0.3)[1], "#1b2b34", "center");
      }
      var part = function (from, until, colour, width) {
        var points = [];
        for (var n = 0; n <= 80; n++) {
          var t = from + ((until - from) * n) / 80;
          points.push(to(w, 1 - Math.cos(t), +peclet.value * Math.sin(t)));
        }
        mg.line(g, points, colour, width);
      };
      part(-Math.PI, Math.PI, "#1b2b34", 1);
      part(Math.PI / 2, 1.5 * Math.PI, "#1b2b34", 3.5);
      all.forEach(function (x, n) {
        var p = to(w, x[0], x[1]), s = n === chosen ? 9 : 7;
        [[6, "#ffffff"], [3, "#b03a00"]].forEach(function (pen) {
          mg.line(g, [[p[0] - s, p[1] - s], [p[0] + s, p[1] + s]], pen[1], pen[0]);
          mg.line(g, [[p[0] - s, p[1] + s], [p[0] + s, p[1] - s]], pen[1], pen[0]);
        });
      });
    }, true);

    live.canvas("The norm of a rough error over the rounds of four steps, on a circle and, dashed, " +
      "between two walls; the scale is logarithmic.",
    function (w) { return Math.min(200, 0.5 * w); }, function (g, w, h, colours) {
      var low = -6, high = 2, L = 44, all = roots(groups);
      var y = function (v) {
        var log = Math.max(low - 1, Math.min(high + 1, Math.log10(v)));
        return 8 + ((h - 34) * (high - log)) / (high - low);
      };
      for (var e = low; e <= high; e += 2) {
        mg.line(g, [[L, y(Math.pow(10, e))], [w, y(Math.pow(10, e))]], colours.faint, 1);
        mg.text(g, e ? "1e" + String(e).replace("-", "\u2212") : "1", L - 6, y(Math.pow(10, e)) + 4,
          colours.ink, "right");
      }
      [[false, colours.blue, []], [true, colours.red, [7, 4]]].forEach(function (kind) {
        mg.line(g, norms(+peclet.value, all, ROUNDS, kind[0]).map(function (v, n) {
          return [L + ((w - L - 8) * n) / ROUNDS, y(v)];
        }), kind[1], 2.5, kind[2]);
      });
      for (var n = 0; n <= ROUNDS; n += 5) {
        mg.text(g, n, L + ((w - L - 8) * n) / ROUNDS, h - 8, colours.ink, "center");
      }
      mg.text(g, "on a circle", w - 12, 22, colours.blue, "right");
      mg.text(g, "between walls (dashed)", w - 12, 40, colours.red, "right");
    });

    var peclet = live.range("P\u00e9clet number", 0, 3, 0.05, 2, function (v) { return v.toFixed(2); });
    words = live.words();
    peclet.addEventListener("input", tell);

    function tell() {
      var x = roots(groups)[chosen], all = roots(groups);
      var last = norms(+peclet.value, all, 5, false)[5];
      words.textContent = "Root " + (chosen + 1) + " is at " + x[0].toFixed(2) +
        (x[1] ? (x[1] > 0 ? " + " : " \u2212 ") + Math.abs(x[1]).toFixed(2) + " i" : "") +
        ". Of a rough wave at most " + mg.percent(worst(+peclet.value, all)) +
        " is left by a round; five rounds leave " + mg.percent(last) + " of a rough error.";
    }
    /* Move the chosen root: off the axis it takes its partner along as its conjugate. */
    function move(a, b) {
      var group = groups[chosen >> 1], second = chosen & 1;
      a = Math.max(LEFT + 0.1, Math.min(LEFT + WIDE - 0.1, a));
      b = Math.max(-WIDE / 2 + 0.1, Math.min(WIDE / 2 - 0.1, b));
      if (Math.abs(b) < 0.08) { // on the axis
        if (Math.abs(a) < 0.1) a = a < 0 ? -0.1 : 0.1; // q(0) = 1: no root at zero
        if (group.b > 0) group.other = group.a = a;
        else if (second) group.other = a;
        else group.a = a;
        group.b = 0;
      } else {
        group.a = group.other = a;
        group.b = Math.abs(b);
        chosen = (chosen & 2) | (b < 0 ? 1 : 0);
      }
      tell();
    }
    function hold(px, py) {
      var w = plane.clientWidth, best = 28, found = false;
      roots(groups).forEach(function (x, n) {
        var p = to(w, x[0], x[1]), far = Math.hypot(p[0] - px, p[1] - py);
        if (far < best) { best = far; chosen = n; found = true; }
      });
      if (found) tell();
      return found;
    }
    live.pointer(plane, hold, function (px, py) {
      var w = plane.clientWidth, s = scale(w);
      move((px - (w - s * WIDE) / 2) / s + LEFT, WIDE / 2 - py / s);
    });
    live.keys(plane, function (key, shift) {
      var by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
      if (key >= "1" && key <= "4") chosen = key - 1;
      else if (by) {
        var x = roots(groups)[chosen], far = shift ? 0.5 : 0.1;
        move(x[0] + far * by[0], x[1] + far * by[1]);
      } else return false;
      tell();
      return true;
    });
    tell();
    live.groups = function () { return roots(groups); };
    return live;
  });
})();
