// counts.cjs REPORT NAME FAILURES: prints the number of passed and of other tests in Vitest's JSON report, and appends
// the other ones to FAILURES.
const { appendFileSync, readFileSync } = require('node:fs');

const [, , report, name, failures] = process.argv;
const files = (() => {
  try {
    return JSON.parse(readFileSync(report, 'utf8')).testResults;
  } catch {
    return [];
  }
})();
let passed = 0;
const failed = [];
for (const file of files) {
  for (const test of file.assertionResults) {
    if (test.status === 'passed') passed++;
    else failed.push(`${test.status}: ${test.fullName}\n${test.failureMessages.join('\n')}`);
  }
  // A file that cannot be loaded fails without a failed test.
  if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
    failed.push(`failed: ${file.name}\n${file.message}`);
  }
}
if (passed + failed.length === 0) failed.push('failed: no test ran');
for (const line of failed) appendFileSync(failures, `${name}: ${line.slice(0, 2_000)}\n`);
console.log(passed, failed.length);
