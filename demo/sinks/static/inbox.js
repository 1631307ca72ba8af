// Shows new messages by themselves. Cards that are already there stay, so nothing that was opened is closed again.
"use strict";

const seconds = 3;

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
}

setInterval(() => refresh().catch(() => undefined), seconds * 1000); // the sink may be restarting
