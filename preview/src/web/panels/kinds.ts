// The panel types that can be shown, and how they are framed. Without the components, which need a browser.
export interface Kind {
  /** Drawn even without data. */
  noData?: boolean;
  noPadding?: boolean;
}
export const KINDS: Record<string, Kind> = {
  timeseries: {}, trend: {}, stat: { noPadding: true }, gauge: {}, bargauge: {}, piechart: {}, table: { noPadding: true }, text: { noData: true }, logs: {}, traces: {}, flamegraph: {}, barchart: {},
  heatmap: {}, histogram: {}, 'state-timeline': {}, 'status-history': {}, xychart: {}, alertlist: { noData: true }, dashlist: { noData: true }, nodeGraph: {},
};
const OTHERS: Record<string, string> = { news: 'News feeds', canvas: 'Canvas panels', geomap: 'Maps', candlestick: 'Candlestick charts', annolist: 'Annotation lists' };
export const unsupported = (type: string) => `${OTHERS[type] ?? `Panels of type "${type}"`} cannot be drawn by this preview; Grafana shows them.`;
