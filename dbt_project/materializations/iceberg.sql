{#
    Runs the model's SQL in DuckDB into a private Parquet file and hands that to the plugin `lakehouse`, which commits
    it to the model's Iceberg table in one snapshot, as the model's `strategy` says:
    insert   rows whose unique_key is new
    replace  rows take the place of those with the same unique_key
    days     rows take the place of those of the run's days
    full     rows take the place of all
#}
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
