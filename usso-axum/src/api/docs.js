// Shows openapi.json. Everything from the document is inserted as text, never as markup.
'use strict';

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function resolve(openapi, schema) {
  const name = schema && schema.$ref && schema.$ref.split('/').pop();
  return name ? openapi.components.schemas[name] : schema;
}

function kind(openapi, schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.oneOf || schema.anyOf) return (schema.oneOf || schema.anyOf).map((one) => kind(openapi, one)).join(' or ');
  if (schema.type === 'array') return kind(openapi, schema.items) + '[]';
  return [].concat(schema.type || 'any').join(' or ');
}

function fields(openapi, schema) {
  let found = resolve(openapi, schema);
  if (found && found.oneOf) found = resolve(openapi, found.oneOf.find((one) => one.$ref));
  if (!found || !found.properties) return null;
  const required = new Set(found.required || []);
  const rows = Object.entries(found.properties).map(([name, field]) => element('tr', '',
    element('td', '', element('code', name)),
    element('td', kind(openapi, field) + (required.has(name) ? '' : ', optional')),
    element('td', field.description || (resolve(openapi, field) || {}).description || '')));
  return element('table', '', ...rows);
}

function content(holder) {
  const kinds = Object.values((holder && holder.content) || {});
  return kinds.length ? kinds[0].schema : null;
}

function route(openapi, path, method, operation) {
  const summary = element('summary', '', element('span', method.toUpperCase()), element('code', path),
    ' ' + (operation.summary || ''));
  summary.firstChild.className = 'method';
  const shown = element('details', '', summary);
  for (const parameter of operation.parameters || []) {
    shown.append(element('p', `${parameter.in} ${parameter.name}: ${parameter.description || kind(openapi, parameter.schema)}`));
  }
  const body = content(operation.requestBody);
  const table = body && fields(openapi, body);
  if (table) shown.append(element('h4', 'Body'), table);
  shown.append(element('h4', 'Answers'));
  for (const [status, response] of Object.entries(operation.responses || {})) {
    const schema = content(response);
    shown.append(element('p', `${status} ${response.description || ''} ${schema ? '(' + kind(openapi, schema) + ')' : ''}`));
  }
  return shown;
}

async function show() {
  const openapi = await (await fetch('openapi.json')).json();
  document.getElementById('about').textContent = openapi.info.description;
  const groups = new Map();
  for (const [path, operations] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = (operation.tags || ['other'])[0];
      if (!groups.has(tag)) groups.set(tag, element('section', '', element('h2', tag)));
      groups.get(tag).append(route(openapi, path, method, operation));
    }
  }
  document.getElementById('routes').replaceChildren(...groups.values());
}

show().catch((error) => {
  document.getElementById('routes').replaceChildren(element('p', 'The document could not be read: ' + error));
});
