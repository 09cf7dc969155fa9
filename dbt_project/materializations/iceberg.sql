{#
    Runs the model's SQL and hands the rows to this process, which commits them to the model's Iceberg table in one
    snapshot, as the model's `strategy` says:
    insert   rows whose unique_key is new
    replace  rows take the place of those with the same unique_key
    days     rows take the place of those of the run's days
    full     rows take the place of all
#}

{# DuckDB writes a private Parquet file, which the plugin `lakehouse` reads. #}
{% materialization iceberg, adapter='duckdb' %}
    {%- set staged = var('staging') ~ '/' ~ model.name ~ '.parquet' -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        copy ({{ compiled_code }}) to '{{ staged }}' (format parquet)
    {%- endcall %}
    {% do adapter.store_relation('lakehouse', this, [], staged, 'parquet', config) %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [this]}) }}
{% endmaterialization %}

{# Trino writes a private Iceberg table, which the adapter reads. #}
{% materialization iceberg, adapter='trino' %}
    {%- set staged = adapter.staged(this) -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        create table {{ staged }} as {{ compiled_code }}
    {%- endcall %}
    {% do adapter.store(this, staged) %}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [this]}) }}
{% endmaterialization %}
