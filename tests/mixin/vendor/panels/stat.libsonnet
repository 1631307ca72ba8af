{
  stat(title, expr):: {
    type: 'stat',
    title: title,
    datasource: { type: 'prometheus', uid: '$datasource' },
    targets: [{ refId: 'A', expr: expr }],
  },
}
