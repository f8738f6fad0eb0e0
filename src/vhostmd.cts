#!/usr/bin/env node
require('./system/process/debugger.cjs');
require('./bootstrap.cjs');
void import('./cli/main.js');
