// `preview pdf`: prints one self-contained page on paper.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { BROWSER_FLAGS, CHROMIUM } from './pictures.mjs';
import { UsageError } from './server/arguments.mjs';

const USAGE = 'preview pdf FILE.html FILE.pdf [--chromium PATH]';
const FOOTER = '<div style="width:100%;font-size:8px;color:#666;text-align:center"><span class="pageNumber"></span> / <span class="totalPages"></span></div>';

export async function main(argv) {
  const { values, positionals } = parseArgs({ args: argv, options: { chromium: { type: 'string' } }, allowPositionals: true });
  const [page, paper] = positionals, executablePath = values.chromium ?? CHROMIUM;
  if (positionals.length !== 2) throw new UsageError(USAGE);
  if (!fs.existsSync(page)) throw new UsageError(`${page}: no such file`);
  if (!fs.existsSync(executablePath)) throw new UsageError(`${executablePath}: no Chromium here; install it, or name it with --chromium or $CHROMIUM`);
  const browser = await chromium.launch({ executablePath, headless: true, args: BROWSER_FLAGS, env: /** @type {any} */ ({ ...process.env, DBUS_SESSION_BUS_ADDRESS: '' }) });
  try {
    const context = await browser.newContext({ javaScriptEnabled: false, offline: true });
    const tab = await context.newPage();
    await tab.goto(pathToFileURL(path.resolve(page)).href);
    await tab.pdf({ path: paper, format: 'A4', printBackground: true, tagged: true, outline: true, displayHeaderFooter: true, headerTemplate: '<span></span>', footerTemplate: FOOTER, margin: { top: '12mm', bottom: '16mm', left: '12mm', right: '12mm' } });
  } finally {
    await browser.close();
  }
  return 0;
}
