/* What the live figures share: canvases in the colours of the page, and controls with names.

   A figure is a file of its own. It gives its numbers as pure functions, which a test holds equal
   to the package's, and draws them anew at every change: nothing is drawn beforehand. */
(function () {
  "use strict";
  var mg = (window.mgtutorial = window.mgtutorial || {});
  var COLOURS = {
    light: { ground: "#ffffff", ink: "#1b2b34", faint: "#c3ccd3", shade: "#fbf8d0",
      blue: "#0072b2", red: "#c04e00" },
    dark: { ground: "#121212", ink: "#e3eaf0", faint: "#4d5963", shade: "#33311a",
      blue: "#56b4e9", red: "#f0945a" },
  };

  /* An element inside another, with its attributes. */
  function add(parent, tag, attributes, text) {
    var element = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) {
      element.setAttribute(name, attributes[name]);
    });
    if (text) element.textContent = text;
    return parent.appendChild(element);
  }

  function Live(root) {
    var self = this;
    this.root = root;
    this.screens = [];
    new MutationObserver(this.change.bind(this)).observe(document.documentElement, {
      attributes: true, attributeFilter: ["data-theme"],
    });
    new ResizeObserver(function () { self.change(); }).observe(root);
  }

  /* A canvas; draw(context, width, height, colours) works in CSS pixels. */
  Live.prototype.canvas = function (label, height, draw, focus) {
    var attributes = { role: focus ? "application" : "img", "aria-label": label };
    if (focus) attributes.tabindex = 0;
    var canvas = add(this.root, "canvas", attributes);
    this.screens.push({ canvas: canvas, height: height, draw: draw });
    return canvas;
  };

  /* Draw at once; the next line can read what is on the canvases. */
  Live.prototype.frame = function () {
    var mode = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
    var width = Math.floor(this.root.clientWidth);
    var dense = Math.min(window.devicePixelRatio || 1, 2);
    if (width < 50) return;
    this.screens.forEach(function (screen) {
      var canvas = screen.canvas, height = Math.round(screen.height(width));
      if (canvas.width !== width * dense || canvas.height !== height * dense) {
        canvas.width = width * dense;
        canvas.height = height * dense;
        canvas.style.height = height + "px";
      }
      var context = canvas.getContext("2d");
      context.setTransform(dense, 0, 0, dense, 0, 0);
      context.fillStyle = COLOURS[mode].ground;
      context.fillRect(0, 0, width, height);
      context.font = "13px sans-serif";
      screen.draw(context, width, height, COLOURS[mode]);
    });
  };

  /* Draw before the next frame, once, however many changes there are until then. */
  Live.prototype.change = function () {
    var self = this;
    if (!this.waiting) this.waiting = requestAnimationFrame(function () {
      self.waiting = 0;
      self.frame();
    });
  };

  /* A range with its label and its value; `says` writes the value. */
  Live.prototype.range = function (label, min, max, step, value, says) {
    var row = add(this.root, "label", { class: "mg-stage-row" }), self = this;
    add(row, "span", {}, label);
    var input = add(row, "input", { type: "range", min: min, max: max, step: step });
    var output = add(row, "output");
    input.value = value;
    function tell() { output.value = says(+input.value); }
    input.addEventListener("input", function () { tell(); self.change(); });
    input.set = function (to) { input.value = to; tell(); };
    tell();
    return input;
  };

  /* A row of buttons, {words: what they do}. */
  Live.prototype.buttons = function (label, actions) {
    var row = add(this.root, "div", { class: "mg-stage-row", role: "group", "aria-label": label });
    var self = this;
    return Object.keys(actions).map(function (words) {
      var button = add(row, "button", { type: "button" }, words);
      button.addEventListener("click", function () { actions[words](button); self.change(); });
      return button;
    });
  };

  /* A line that says what is seen, aloud too once the reader pauses. */
  Live.prototype.words = function () {
    return add(this.root, "p", { class: "mg-stage-words", role: "status" });
  };

  /* Follow a mouse or a finger; down(x, y) says whether it took hold of something. */
  Live.prototype.pointer = function (canvas, down, move) {
    var held = false, self = this;
    function at(event) {
      var box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }
    canvas.addEventListener("touchstart", function (event) { // else the page would scroll
      if (down.apply(null, at(event.touches[0]))) event.preventDefault();
    }, { passive: false });
    canvas.addEventListener("pointerdown", function (event) {
      held = down.apply(null, at(event));
      if (held) canvas.setPointerCapture(event.pointerId);
      self.change();
    });
    canvas.addEventListener("pointermove", function (event) {
      if (held) { move.apply(null, at(event)); self.change(); }
    });
    ["pointerup", "pointercancel"].forEach(function (name) {
      canvas.addEventListener(name, function () { held = false; });
    });
  };

  /* Answer keys on a canvas: answer(key, shift) says whether it knew the key. */
  Live.prototype.keys = function (canvas, answer) {
    var self = this;
    canvas.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (answer(event.key, event.shiftKey)) { event.preventDefault(); self.change(); }
    });
  };

  /* Begin a figure wherever a page has it. */
  mg.live = function (name, build) {
    document.addEventListener("DOMContentLoaded", function () {
      document.querySelectorAll('.mg-stage[data-live="' + name + '"]').forEach(function (root) {
        root.hidden = false;
        mg[name].figure = build(new Live(root));
        mg[name].figure.frame();
      });
    });
  };

  /* A share in words: 46.2 %, 0.146 %, 1.2e-7 of it all. */
  mg.percent = function (share) {
    var p = 100 * share;
    return (p >= 1000 || (p && p < 1e-3) ? p.toExponential(1).replace("-", "\u2212").replace("+", "") :
      p >= 100 ? String(Math.round(p)) : p.toPrecision(3)) + "\u00a0%";
  };

  /* Lines through points, and a text, in the colours that are given. */
  mg.line = function (context, points, colour, width, dash) {
    context.beginPath();
    points.forEach(function (p) { context.lineTo(p[0], p[1]); });
    context.strokeStyle = colour;
    context.lineWidth = width || 1;
    context.setLineDash(dash || []);
    context.stroke();
    context.setLineDash([]);
  };
  mg.text = function (context, words, x, y, colour, align) {
    context.fillStyle = colour;
    context.textAlign = align || "left";
    context.fillText(words, x, y);
  };
})();
