#!/usr/bin/env node
require('./prepare.cjs');
void import('./main.js');
