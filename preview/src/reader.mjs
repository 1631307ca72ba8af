// The page's modules in Node.js, for figures without pictures: no browser is needed.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleForNode } from './server/bundle.mjs';

/** Gives what a page would leave in `window.__report`. `base` is the server that the page's queries go to. */
export async function reader(base) {
  const asked = globalThis.fetch;
  globalThis.fetch = (url, options) => asked(typeof url === 'string' ? new URL(url, base) : url, options);
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'preview-'));
  try {
    return (await import(pathToFileURL(await bundleForNode('src/web/pictures/read.ts', out)).href)).read;
  } finally {
    fs.rmSync(out, { recursive: true, force: true });
  }
}
