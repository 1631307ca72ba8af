// All panels of a dashboard, asked at once, and what is told of them. It needs no browser.
import { FieldType, locationUtil, type GrafanaTheme2 } from '@grafana/data';
import type { PictureBoot } from '../boot';
import { loadAnnotations } from '../model/annotations';
import { Env } from '../model/environment';
import { layout } from '../model/layout';
import { makeRange } from '../model/time';
import { AUTO } from '../model/types';
import { loadVariables } from '../model/variables';
import { columnWidth } from '../page/grid';
import { loadPanel, otherPanels, replaceFor } from '../page/loadPanel';
import { figuresOf } from './figures';

export async function load(boot: PictureBoot, theme: GrafanaTheme2) {
  const { dashboard, width } = boot;
  const timeZone: string = dashboard.timezone && dashboard.timezone !== 'browser' ? dashboard.timezone : 'browser';
  const range = makeRange(boot.from ?? dashboard.time?.from ?? 'now-6h', boot.to ?? dashboard.time?.to ?? 'now', dashboard.timezone);
  const env = new Env(dashboard, range, { sources: boot.sources, scrape: boot.scrape ?? '15s', alertmanager: boot.alertmanager, dashboards: boot.dashboards });
  locationUtil.initialize({ config: { appSubUrl: '' } as any, getVariablesUrlParams: () => ({}), getTimeRangeForUrl: () => ({ from: range.from.valueOf(), to: range.to.valueOf() }) as any });
  await loadVariables(env, boot.vars);
  const { marks, executed: annotations } = await loadAnnotations(env);
  const one = boot.panel !== undefined;
  const tiles = layout(dashboard, env, (row) => !!row.collapsed && boot.keepCollapsed);
  const rows = one ? [] : tiles.filter((t) => t.kind === 'row');
  const panels = tiles.filter((t) => t.kind === 'panel' && (!one || t.panel.id === boot.panel)).slice(0, one ? 1 : undefined);
  const col = columnWidth(width);
  const other = otherPanels(env, tiles, col);
  const items = await Promise.all(panels.map((t) => loadPanel(t, env, { theme, timeZone }, other, one ? width - 32 : t.w * col - 24)));
  return { env, timeZone, marks, annotations, rows, items };
}
/** What stands in the report of the pictures, after they were drawn: drawing may fail, too. */
export function told({ env, timeZone, annotations, items }: Awaited<ReturnType<typeof load>>, boot: PictureBoot, theme: GrafanaTheme2) {
  return {
    title: env.dashboard.title, uid: env.dashboard.uid, from: new Date(env.range.from.valueOf()).toISOString(), to: new Date(env.range.to.valueOf()).toISOString(),
    variables: env.vars.map((v) => ({ name: v.name, type: v.type, value: v.value === AUTO ? v.auto : v.value, options: v.options.length, error: v.error })),
    annotations,
    panels: items.map((item) => ({ item, ...item })).map(({ item, tile, panel, executed, frames, status, error }) => ({
      id: panel.id, copy: tile.suffix || undefined, title: env.replace(panel.title ?? '', tile.scoped, 'text'), type: panel.type, status, error,
      series: frames.reduce((n, f) => n + f.fields.filter((q) => q.type === FieldType.number).length, 0), rows: Math.max(0, ...frames.map((f) => f.length)),
      ms: Math.max(0, ...executed.map((q) => q.ms)), queries: executed,
      ...(boot.figures && { figures: figuresOf(item, replaceFor(tile, env), theme, timeZone) }),
    })),
  };
}
