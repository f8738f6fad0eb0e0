#!/usr/bin/env node
require('./debugger.cjs');
require('./prepare.cjs');
void import('./main.js');
