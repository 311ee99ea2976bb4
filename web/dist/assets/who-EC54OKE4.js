import{c as a,d as b}from"./chunk-E5XCWCLO.js";import"./chunk-FA2ZZ5EC.js";import"./chunk-OEZBFSH2.js";import"./chunk-RU6IP72A.js";import"./chunk-XQ3QIFXZ.js";export{a as accountsOf,b as isSignedIn};
