local panels = import 'panels/stat.libsonnet';

function(config) {
  title: 'Printers',
  schemaVersion: 39,
  id: 7,
  tags: ['printer-mixin'],
  time: { from: 'now-1h', to: 'now' },
  templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', current: { value: config.datasourceName } }] },
  panels: [
    panels.stat('Sheets left', 'min(printer_paper_sheets{%(selector)s})' % config) { id: 1, gridPos: { x: 0, y: 0, w: 12, h: 8 } },
    panels.stat('Pages', 'sum(job:printer_pages:rate5m)') { id: 2, gridPos: { x: 12, y: 0, w: 12, h: 8 } },
  ],
}
