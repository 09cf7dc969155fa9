{#
    Ways to read less of a table than the whole. The call of source() or ref() stays in the model, so that lineage is
    kept. The engine makes these views for each invocation, over the files that are needed and no others.
    Elsewhere they give the whole table: slower, and as right, because storing is by key or by day.
#}

{# What came since the model's own mark: new rows of `*_changes`, files that were written of a vault table. #}
{% macro slice(relation) -%}
    {{ return(narrowed(relation, 'slice')) }}
{%- endmacro %}

{# The rows of the run's days. #}
{% macro days(relation) -%}
    {{ return(narrowed(relation, 'days')) }}
{%- endmacro %}

{# The rows of `*_changes` that have no key: truncates. #}
{% macro truncates(relation) -%}
    {{ return(narrowed(relation, 'truncates')) }}
{%- endmacro %}

{# The rows of the model's own table that new truncates may reach, by unique key; none where the parent has none. #}
{% macro held(relation) -%}
    {{ return(narrowed(relation, 'held')) }}
{%- endmacro %}

{#
    What a test reads of its model: of one by day, the rows of the days that were touched since its tests passed.
    dbt calls this for the argument `model` of every generic test.
#}
{% macro duckdb__get_where_subquery(relation) -%}
    {%- set models = graph.get('nodes', {}).values() | selectattr('alias', 'equalto', relation.identifier) -%}
    {%- if models | selectattr('config.strategy', 'equalto', 'days') | list -%}
        {{ return(relation.incorporate(path={'schema': relation.schema ~ '__untested__' ~ relation.identifier})) }}
    {%- else -%}
        {{ return(dbt.default__get_where_subquery(relation)) }}
    {%- endif -%}
{%- endmacro %}

{% macro narrowed(relation, kind) -%}
    {%- if not execute or target.type != 'duckdb' -%}
        {{ return(relation) }}
    {%- else -%}
        {{ return(relation.incorporate(path={'schema': relation.schema ~ '__' ~ kind ~ '__' ~ model.name})) }}
    {%- endif -%}
{%- endmacro %}
