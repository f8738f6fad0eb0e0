const DEEPER = 2;

/** Breaks a line between words at a width; the lines after the first are indented two columns more. */
export const wrapped = (line: string, width: number): readonly string[] => {
  const indent = /^ */.exec(line)?.[0].length ?? 0;
  const room = width - indent - DEEPER;
  if (line.length <= width || room < 1) return [line];
  const rows: string[] = [];
  let rest = line;
  for (let most = width; rest.length > most; most = room) {
    const space = rest.lastIndexOf(' ', most);
    const end = space > (rows.length === 0 ? indent : 0) ? space : most;
    rows.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  const [first, ...others] = [...rows, rest];
  return [first, ...others.map((row) => ' '.repeat(indent + DEEPER) + row)];
};
