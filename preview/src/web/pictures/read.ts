// Reads a dashboard without a browser: the figures of its panels, and no pictures. Bundled for Node.js.
import { createTheme } from '@grafana/data';
import { initializeI18n } from '@grafana/i18n/dist/esm/i18n.mjs';
import type { PictureBoot } from '../boot';
import { initRegistries } from '../model/fieldOverrides';
import { load, told } from './load';

// Once, however many dashboards are read.
const ready = initializeI18n({ language: 'en-US', ns: [] }).then(initRegistries);

export async function read(boot: PictureBoot) {
  await ready;
  const theme = createTheme({ colors: { mode: boot.theme } });
  return told(await load(boot, theme), boot, theme);
}
