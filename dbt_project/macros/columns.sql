{# The contract's columns of a `*_changes` source, as silver.yml has them: `key` ones, or `payload` ones. #}
{% macro columns_of(changes, role) -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.sources.values()
            if node.schema == changes.schema and node.identifier == changes.identifier -%}
            {%- for column in node.columns.values() if column.meta.get('role') == role -%}
                {%- do found.append(column) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if not found -%}
            {{ exceptions.raise_compiler_error(changes ~ ' has no ' ~ role ~ ' columns; run `lakehouse sync`') }}
        {%- endif -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{# The name of the single key column. #}
{% macro key_of(changes) -%}
    {{ return((columns_of(changes, 'key') | map(attribute='name') | list + ['key']) | first) }}
{%- endmacro %}

{# The contract's type of a column. #}
{% macro type_of(changes, name) -%}
    {%- for column in columns_of(changes, 'key') + columns_of(changes, 'payload') if column.name == name -%}
        {{ return(column.data_type) }}
    {%- endfor -%}
    {{ return('text') }}
{%- endmacro %}
