"""The HTML of a slider in the built page: markup, a few style rules, and vanilla JavaScript.

Frames of one figure have nearly everything in common. SVG frames are therefore cut into
pieces (runs of elements that occur in the same frames), each piece is stored once, and a
frame is a list of pieces: a frame costs only what changes in it.
"""

import html
import json
import re
from itertools import groupby

from . import images

_STYLE = """
.mg-slider{position:relative;margin:1rem 0;padding:0}
.mg-frame{overflow-x:auto}.mg-slider img{display:block}
.mg-controls:not([hidden]){display:grid;max-width:34rem;margin-top:.5rem;
grid-template-columns:2.75rem fit-content(40%) minmax(4rem,1fr) auto;gap:.25rem .6rem;
align-items:center}
.mg-row{display:contents}
.mg-row input{width:100%;height:2.75rem;margin:0;cursor:pointer}
.mg-row button{width:2.75rem;height:2.75rem;padding:0;font:inherit;color:inherit;cursor:pointer;
background:none;border:1px solid currentColor;border-radius:.35rem}
.mg-row output{min-width:4em;font-variant-numeric:tabular-nums;text-align:right}
.mg-slider :focus-visible{outline:3px solid #0072b2;outline-offset:2px}
.mg-live{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media print{.mg-controls{display:none!important}.mg-values{display:block!important}}
""".replace("\n", "")

# `data` is what pack() made; a frame's number counts the last parameter fastest. Where
# the reader asked for less motion, the button goes to the next value and plays nothing.
_SCRIPT = """
(function(){
var root=document.getElementById("%(ident)s");if(!root)return;
var data=JSON.parse(root.querySelector(".mg-data").textContent);
var img=root.querySelector("img"),said=root.querySelector(".mg-values");
var live=root.querySelector(".mg-live"),controls=root.querySelector(".mg-controls");
var rows=[].slice.call(root.querySelectorAll(".mg-row")),timer=null,soon=null;
var playing=-1,calm=window.matchMedia("(prefers-reduced-motion: reduce)");
var inputs=rows.map(function(row){return row.querySelector("input")});
function source(n){var frame=data.frames[n];return typeof frame==="string"?frame:
"data:image/svg+xml,"+encodeURIComponent(frame.map(function(i){return data.pieces[i]}).join(""))}
function update(){
var n=0,words=[];
inputs.forEach(function(input,k){
var text=data.texts[k][+input.value];n=n*data.texts[k].length+ +input.value;
input.setAttribute("aria-valuetext",text);rows[k].querySelector("output").textContent=text;
words.push(data.labels[k]+" = "+text)});
img.src=source(data.order[n]);img.alt=data.alts[n];said.textContent=words.join(", ");
clearTimeout(soon);if(!timer)soon=setTimeout(function(){live.textContent=data.alts[n]},600)}
function stop(){clearInterval(timer);timer=null;playing=-1;face()}
function face(){rows.forEach(function(row,k){
var button=row.querySelector("button"),on=k===playing;
button.textContent=on?"\\u23f8\\ufe0e":calm.matches?"\\u23ed\\ufe0e":"\\u25b6\\ufe0e";
button.setAttribute("aria-label",(on?"Pause ":calm.matches?"Next ":"Play ")+data.labels[k])})}
function step(k){
var input=inputs[k];
if(+input.value>=+input.max){stop()}else{input.value=+input.value+1}
update()}
function next(k){
var input=inputs[k];stop();
input.value=+input.value>=+input.max?0:+input.value+1;update()}
function play(k){
stop();if(+inputs[k].value>=+inputs[k].max)inputs[k].value=0;
playing=k;timer=setInterval(function(){step(k)},500);face();update()}
rows.forEach(function(row,k){
inputs[k].addEventListener("input",function(){if(timer)stop();update()});
row.querySelector("button").addEventListener("click",function(){
if(calm.matches)next(k);else if(playing===k){stop();update()}else play(k)})});
if(calm.addEventListener)calm.addEventListener("change",stop);
face();controls.hidden=false;said.style.display="none";
})();
"""


def page(ident, image, pictures, alts, labels, texts, first):
    """The slider as an HTML fragment.

    Parameters
    ----------
    ident : str
        The id of the figure, unique on its page.
    image : str
        The ``<img>`` tag of the first frame.
    pictures : list of str or bytes
        A picture for each combination of values, the last parameter fastest.
    alts : list of str
        Their alt texts.
    labels : list of str
        A label for each parameter.
    texts : list of list of str
        The values of each parameter, as they are written.
    first : tuple of int
        The position of each parameter at the start.
    """
    rows = "".join(
        _row(f"{ident}-{k}", label, values, at)
        for k, (label, values, at) in enumerate(zip(labels, texts, first, strict=True))
    )
    said = ", ".join(f"{a} = {v[i]}" for a, v, i in zip(labels, texts, first, strict=True))
    packed = pack(pictures)[:-1] + "," + _json({"alts": alts, "labels": labels, "texts": texts})[1:]
    return (
        f'<figure class="mg-slider" id="{ident}"><style>{_STYLE}</style>'
        f'<div class="mg-frame">{image}</div>'
        f'<p class="mg-values">{html.escape(said)}</p>'
        f'<div class="mg-controls" hidden>{rows}</div>'
        '<span class="mg-live" aria-live="polite"></span>'
        f'<script type="application/json" class="mg-data">{packed}</script>'
        f"<script>{_SCRIPT.strip() % {'ident': ident}}</script></figure>"
    )


def _row(ident, label, values, at):
    name = html.escape(label)
    return (
        f'<div class="mg-row"><button type="button" aria-label="Play {name}">'
        f'\u25b6\ufe0e</button><label for="{ident}">{name}</label>'
        f'<input type="range" id="{ident}" min="0" max="{len(values) - 1}" step="1" value="{at}" '
        f'autocomplete="off" aria-valuetext="{html.escape(values[at])}">'
        # the browser announces the value of a range input as it moves: the output need not
        f'<output for="{ident}" aria-live="off">{html.escape(values[at])}</output></div>'
    )


def pack(pictures):
    """`pictures` as JSON: each distinct frame once, and of SVG frames each distinct piece once.

    Returns
    -------
    str
        ``{"order": ..., "pieces": ..., "frames": ...}``; picture n is
        ``frames[order[n]]``, an address, or a list of numbers of pieces to join.

    Examples
    --------
    >>> pack(["<a/><b/>", "<a/><c/>", "<a/><b/>"])
    '{"order":[0,1,0],"pieces":["<a/>","<b/>","<c/>"],"frames":[[0,1],[0,2]]}'
    """
    unique = list(dict.fromkeys(pictures))
    number = {picture: n for n, picture in enumerate(unique)}
    pieces = {}
    if isinstance(unique[0], bytes):
        frames = [images.data_uri(picture) for picture in unique]
    else:
        elements = [re.findall(r"<[^>]*>[^<]*", picture) for picture in unique]
        occurs = {}
        for n, frame in enumerate(elements):
            for element in frame:
                occurs.setdefault(element, set()).add(n)
        where = {element: frozenset(numbers) for element, numbers in occurs.items()}
        frames = [
            [
                pieces.setdefault("".join(run), len(pieces))
                for _, run in groupby(frame, key=where.__getitem__)
            ]
            for frame in elements
        ]
    order = [number[picture] for picture in pictures]
    return _json({"order": order, "pieces": list(pieces), "frames": frames})


def _json(data):
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # nothing in the text may end the <script> element it stands in, or open a comment there
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")
