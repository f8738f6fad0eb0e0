/**
 * Formats a whole number with thousands separators. Not by toLocaleString, which loads Node's tables of all languages:
 * messages are built at each tick.
 */
export const formatCount = (value: number): string => String(value).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
