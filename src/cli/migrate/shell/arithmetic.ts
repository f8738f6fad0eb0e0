import { refuse, ShellError } from '../not-understood.ts';

const TOKEN = /\s*(?:(\d+)|([A-Za-z_]\w*)|([-+*/%()]))/y;

/** Computes the inside of `$((...))`: whole numbers, variables, `+ - * / %` and parentheses. */
export const integer = (text: string, variable: (name: string) => string): number => {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const source = text.trim();
  while (TOKEN.lastIndex < source.length) {
    const found = TOKEN.exec(source);
    if (found === null) return refuse(`computes ${source}`);
    tokens.push(found[0].trim());
  }
  const primary = (): number => {
    const token = tokens.shift();
    if (token === undefined || /^[*/%)]$/.test(token)) throw new ShellError();
    if (token === '(') {
      const inner = sum();
      if (tokens.shift() !== ')') refuse(`computes ${source}`);
      return inner;
    }
    if (token === '-') return -primary();
    const written = /^\d/.test(token) ? token : variable(token) || '0';
    // The shell reads a leading zero as octal.
    return /^(?:0|[1-9]\d*)$/.test(written) ? Number(written) : refuse(`computes with ${JSON.stringify(written)}`);
  };
  const product = (): number => {
    let value = primary();
    while (tokens[0] === '*' || tokens[0] === '/' || tokens[0] === '%') {
      const operator = tokens.shift();
      const other = primary();
      if (operator !== '*' && other === 0) refuse('divides by zero');
      value = operator === '*' ? value * other : operator === '/' ? Math.trunc(value / other) : value % other;
      if (!Number.isSafeInteger(value)) refuse('computes with numbers that are too large');
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[0] === '+' || tokens[0] === '-') value += tokens.shift() === '+' ? product() : -product();
    return value;
  };
  const value = sum();
  return tokens.length === 0 ? value : refuse(`computes ${source}`);
};
