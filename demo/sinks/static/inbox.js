// Shows new messages by themselves. Cards that are already there stay, so nothing that was opened is closed again.
"use strict";

const seconds = 3;
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// Moments that a message leaves to the reader's clock, as Slack's programs show them.
function ages() {
  const words = new Intl.RelativeTimeFormat("en");
  for (const time of document.querySelectorAll("time.ago")) {
    const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [unit, length] = units.find(([, least]) => age >= least) ?? units.at(-1);
    time.textContent = words.format(-Math.floor(age / length), unit);
  }
}

async function refresh() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const shown = document.querySelector("main");
  const known = new Set([...shown.querySelectorAll("article")].map((card) => card.id));
  const cards = [...fresh.querySelectorAll("article")].filter((card) => !known.has(card.id));
  if (cards.length === 0) return;
  shown.querySelector(".empty")?.remove();
  shown.prepend(...cards);
  ages();
}

setInterval(() => refresh().catch(() => undefined), seconds * 1000); // the sink may be restarting
setInterval(ages, 60 * 1000);
ages();
