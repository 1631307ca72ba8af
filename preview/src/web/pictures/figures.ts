// The figures that a panel shows, as tables: values with the texts that stand on the panel. Reports are made of them.
import {
  FieldType, fieldReducers, formattedValueToString, getFieldDisplayName, getFieldDisplayValues, getValueFormat, getValueFormats, reduceField,
  type DataFrame, type Field, type GrafanaTheme2, type InterpolateFunction,
} from '@grafana/data';
import { tables } from '../live/csv';
import type { Loaded, Replace } from '../model/types';

/** One column: values as they are (times in ISO format, what is no figure as null), and how each is written on the panel. */
export interface Column { name: string; kind: 'time' | 'number' | 'text'; unit: string; values: Array<string | number | null>; texts: string[] }
/** `values`: one row per figure; `series`: one row per series with what its legend calculates; `rows`: a table; `points`: what is drawn. */
export interface Figures { form: 'values' | 'series' | 'rows' | 'points'; name: string; columns: Column[] }

const SINGLE = ['stat', 'gauge', 'bargauge', 'piechart'];
const GRAPHS = ['timeseries', 'trend'];
const CALCULATIONS = ['lastNotNull', 'mean', 'max'];

const units = () => new Map(getValueFormats().flatMap((group) => (group.submenu ?? []).map((u) => [u.value, u.text] as const)));
let known: Map<string, string> | undefined;
/** A unit's name for people; the id itself where Grafana has no name for it. Plain numbers have none. */
const unitName = (id?: string) => (!id || id === 'none' || id === 'short' || id === 'string' ? '' : (known ??= units()).get(id) ?? id.replace(/^(suffix|prefix):/, ''));

const number = (v: any) => (typeof v === 'number' && Number.isFinite(v) ? v : null);
const iso = (v: any) => { const at = new Date(v); return v == null || Number.isNaN(at.valueOf()) ? null : at.toISOString(); };
const plain = (v: any) => (v == null ? null : typeof v === 'object' ? JSON.stringify(v) : String(v));
const column = (name: string, kind: Column['kind'], unit = ''): Column => ({ name, kind, unit, values: [], texts: [] });
const put = (c: Column, value: string | number | null, text = value == null ? '' : String(value)) => { c.values.push(value); c.texts.push(text); };

/** Small graphs in the cells of a table, by the figure that stands beside each. */
function graphsOf(field: Field, frame: DataFrame): Column {
  const made = column(getFieldDisplayName(field, frame), 'number', unitName(field.config.unit));
  const written = getValueFormat(field.config.unit);
  for (const graph of valuesOf(field, frame)) {
    const value = number(graph?.value);
    put(made, value, value == null ? '' : formattedValueToString(written(value, field.config.decimals)));
  }
  return made;
}
/** What a cell shortens for want of room stands whole in a report, where nobody can inspect it. */
const whole = (value: string, text: string) => (text.endsWith('…') && value.startsWith(text.slice(0, -1)) ? value : text);
function columnOf(field: Field, frame: DataFrame): Column {
  if (field.type === FieldType.frame) return graphsOf(field, frame);
  const kind = field.type === FieldType.time ? 'time' : field.type === FieldType.number ? 'number' : 'text';
  const made = column(getFieldDisplayName(field, frame), kind, kind === 'number' ? unitName(field.config.unit) : '');
  for (const v of valuesOf(field, frame)) {
    if (kind === 'time') put(made, iso(v));
    else if (kind === 'number') put(made, number(v), field.display ? formattedValueToString(field.display(v)) : plain(v) ?? '');
    else put(made, plain(v), field.display && v != null && typeof v !== 'object' ? whole(String(v), formattedValueToString(field.display(v))) : plain(v) ?? '');
  }
  return made;
}
/** Without the moments that Grafana has put behind the last one, while bars were drawn, to give it its width. */
const valuesOf = (field: Field, frame: DataFrame): any[] => field.values.slice(0, frame.length);
const shown = (f: Field) => !f.config.custom?.hidden && !f.config.custom?.hideFrom?.viz;
const tableOf = (form: Figures['form']) => (frame: DataFrame): Figures => ({ form, name: frame.name ?? '', columns: frame.fields.filter(shown).map((f) => columnOf(f, frame)) });

function single({ panel, frames }: Loaded, replace: Replace, theme: GrafanaTheme2, timeZone: string): Figures {
  const columns = [column('Name', 'text'), column('Value', 'number'), column('Unit', 'text')];
  const list = getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: replace as InterpolateFunction, theme, data: frames, timeZone });
  for (const { display, field } of list) {
    put(columns[0], display.title ?? '');
    put(columns[1], number(display.numeric), formattedValueToString(display));
    put(columns[2], unitName(field.unit));
  }
  return { form: 'values', name: '', columns };
}
function summary({ panel, frames }: Loaded): Figures {
  const given: string[] = panel.options.legend?.calcs ?? [];
  const calcs = given.length ? given : CALCULATIONS;
  const columns = [column('Name', 'text'), ...calcs.map((c) => column(fieldReducers.get(c).name, 'number')), column('Unit', 'text')];
  for (const frame of frames) {
    for (const field of frame.fields.filter((f) => f.type === FieldType.number && shown(f))) {
      const results = reduceField({ field, reducers: calcs });
      put(columns[0], getFieldDisplayName(field, frame, frames));
      calcs.forEach((c, i) => put(columns[i + 1], number(results[c]), field.display ? formattedValueToString(field.display(results[c])) : plain(results[c]) ?? ''));
      put(columns[columns.length - 1], unitName(field.config.unit));
    }
  }
  return { form: 'series', name: '', columns };
}
/** Nothing for panels that show texts and links. */
export function figuresOf(item: Loaded, replace: Replace, theme: GrafanaTheme2, timeZone: string): Figures[] {
  const { type } = item.panel;
  if (item.status !== 'ok' || type === 'text' || type === 'dashlist') return [];
  if (SINGLE.includes(type)) return [single(item, replace, theme, timeZone)];
  const frames = tables(item.frames);
  // Series of several frames come joined by time first; apart they would be said twice.
  if (GRAPHS.includes(type)) return [summary(item), ...frames.slice(0, 1).map(tableOf('points'))];
  if (type === 'table' || type === 'alertlist') return item.frames.filter((f) => f.fields.length).map(tableOf('rows'));
  return frames.slice(0, 1).map(tableOf('points'));
}
