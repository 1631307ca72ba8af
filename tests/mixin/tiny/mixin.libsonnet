// A mixin as they are by convention: what a site changes stands in _config, and everything else reads it.
{
  _config+:: {
    selector: 'job="printer"',
    limits: { paper: 10, toner: 0.2 },
    datasourceName: 'Prometheus',
  },

  grafanaDashboards+:: {
    'printers.json': (import 'board.libsonnet')($._config),
  },

  prometheusRules+:: {
    groups+: [{
      name: 'printer.rules',
      rules: [{ record: 'job:printer_pages:rate5m', expr: 'sum by (job) (rate(printer_pages_total{%(selector)s}[5m]))' % $._config }],
    }],
  },

  prometheusAlerts+:: {
    groups+: [{
      name: 'printer',
      rules: [{
        alert: 'PrinterPaperLow',
        expr: 'printer_paper_sheets{%s} < %d' % [$._config.selector, $._config.limits.paper],
        'for': '5m',
        labels: { severity: 'warning' },
        annotations: { summary: 'A printer runs out of paper.' },
      }],
    }],
  },
}
