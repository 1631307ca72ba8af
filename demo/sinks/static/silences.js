// The page of silences. It understands the links that Alertmanager's own page does: #/silences/new?filter={label="value"}
"use strict";

const seconds = 4;
const place = (id) => document.getElementById(id);
const operators = { "=": [false, true], "!=": [false, false], "=~": [true, true], "!~": [true, false] };
let matchers = [];

// An element with attributes and contents; texts stay texts, whatever they say.
function make(tag, attributes, ...contents) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...contents);
  return element;
}

// Matchers of a filter as Alertmanager writes it. Throws when the filter says something else.
function parse(filter) {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(filter);
  if (!inner) throw new Error("has no braces");
  const one = /\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",{}\s]+)\s*(?:,|$)/sy;
  const found = [];
  while (one.lastIndex < inner[1].length) {
    const part = one.exec(inner[1]);
    if (!part) throw new Error("is not a list of matchers");
    const [isRegex, isEqual] = operators[part[2]];
    found.push({ name: part[1], value: part[3].startsWith('"') ? JSON.parse(part[3]) : part[3], isRegex, isEqual });
  }
  return found;
}

function written({ name, value, isRegex, isEqual }) {
  return name + (isRegex ? (isEqual ? "=~" : "!~") : isEqual ? "=" : "!=") + JSON.stringify(value);
}

function linkFor(labels) {
  const filter = Object.keys(labels).sort().map((name) => written({ name, value: labels[name], isRegex: false, isEqual: true }));
  return "#/silences/new?filter=" + encodeURIComponent(`{${filter.join(",")}}`);
}

function say(trouble) {
  place("trouble").textContent = trouble;
  place("trouble").hidden = !trouble;
}

function readLink() {
  const filter = /^#\/silences\/new\?(?:.*&)?filter=([^&]*)/.exec(location.hash);
  matchers = [];
  place("result").textContent = "";
  try {
    if (filter) matchers = parse(decodeURIComponent(filter[1]));
    say("");
  } catch {
    say("The filter of this link cannot be read. Choose an alert below instead.");
  }
  showForm();
  if (matchers.length) scrollTo(0, 0);
}

function showForm() {
  place("silence").hidden = matchers.length === 0;
  const without = (gone) => () => {
    matchers = matchers.filter((matcher) => matcher !== gone);
    showForm();
  };
  place("matchers").replaceChildren(
    ...matchers.map((matcher) => {
      const out = make("button", { type: "button", title: "Take this label out", onclick: without(matcher) }, "×");
      return make("span", { className: "label" }, written(matcher), ...(matchers.length > 1 ? [out] : []));
    }),
  );
}

// The answer of a request; throws with the server's own words.
async function ask(path, method = "GET", body = undefined) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const answer = await fetch("/alertmanager/" + path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("The server of this page does not answer.");
  });
  if (!answer.ok) throw new Error((await answer.text()) || `status ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

const clock = (time) => new Date(time).toISOString().replace("T", " ").slice(0, 19) + " UTC";
const labelled = (texts) => make("div", { className: "labels" }, ...texts.map((text) => make("span", { className: "label" }, text)));

function alertCard({ labels, annotations, startsAt, status }) {
  const { alertname, ...others } = labels;
  const quiet = status.state === "suppressed";
  const state = quiet ? (status.silencedBy.length ? "silenced" : "inhibited") : "firing";
  const head = make("div", { className: "head" }, make("span", { className: quiet ? "state quiet" : "state" }, state));
  head.append(make("b", {}, alertname ?? "(no name)"), make("time", {}, "since " + clock(startsAt)));
  const card = make("article", {}, head, make("p", {}, annotations.summary ?? ""));
  card.append(labelled(Object.keys(others).sort().map((name) => `${name}=${JSON.stringify(others[name])}`)));
  if (!status.silencedBy.length) card.append(make("a", { className: "button", href: linkFor(labels) }, "Silence"));
  return card;
}

function silenceCard(silence) {
  const head = make("div", { className: "head" }, make("b", {}, silence.createdBy), make("span", { className: "to" }, silence.comment));
  head.append(make("time", {}, "until " + clock(silence.endsAt)));
  const end = async () => {
    try {
      await ask(`silences/${encodeURIComponent(silence.id)}`, "DELETE");
      await refresh();
    } catch (error) {
      say(`The silence was not ended: ${error.message}`);
    }
  };
  const button = make("button", { className: "button", type: "button", onclick: end }, "Expire");
  return make("article", {}, head, labelled(silence.matchers.map(written)), button);
}

// Cards are made anew only when something has changed, so that nothing moves under the pointer.
function show(id, items, card, none) {
  const state = JSON.stringify(items);
  if (place(id).dataset.state === state) return;
  place(id).dataset.state = state;
  place(id).replaceChildren(...(items.length ? items.map(card) : [make("p", { className: "footer" }, none)]));
}

let unreachable = false;
async function refresh() {
  try {
    const { alerts, silences } = await ask("state");
    show("alerts", alerts.map(({ updatedAt, endsAt, ...rest }) => rest), alertCard, "No alert is firing.");
    show("silences", silences, silenceCard, "There is no silence.");
    if (unreachable) say("");
    unreachable = false;
  } catch (error) {
    unreachable = true;
    say(error.message);
  }
}

async function submit(event) {
  event.preventDefault();
  const form = event.target;
  const [author, comment] = [form.author.value, form.comment.value];
  try {
    const { id } = await ask("silences", "POST", { matchers, hours: Number(form.hours.value), author, comment });
    localStorage.setItem("author", author);
    form.comment.value = "";
    place("result").textContent = `Silenced (${id}).`;
    await refresh();
  } catch (error) {
    place("result").textContent = `Not silenced: ${error.message}`;
  }
}

place("silence").author.value = localStorage.getItem("author") ?? "";
place("silence").addEventListener("submit", submit);
addEventListener("hashchange", readLink);
readLink();
refresh();
setInterval(refresh, seconds * 1000);
