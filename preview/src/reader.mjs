// The page's modules in Node.js, for figures without pictures: no browser is needed.
import { pathToFileURL } from 'node:url';
import { readerModule } from './server/bundle.mjs';

/** Gives what a page would leave in `window.__report`. `base` is the server that the page's queries go to. */
export async function reader(base) {
  const asked = globalThis.fetch;
  globalThis.fetch = (url, options) => asked(typeof url === 'string' ? new URL(url, base) : url, options);
  return (await import(pathToFileURL(await readerModule()).href)).read;
}
