{#
    One row per change of a key, and per truncate that reached it: deletes are rows whose descriptive columns are null.
    Nothing is suppressed.
#}
{% macro satellite(changes, hash_key) -%}
with {{ states(changes, hash_key) }}

select
    {{ hash_key }},
    change_position,
    {{ hashdiff_of(changes, 'is_deleted') }} as hashdiff,
    is_deleted,
    change_time as effective_from,
    ingestion_timestamp as load_datetime,
    topic as record_source
    {%- for column in columns_of(changes, 'payload') %},
    {{ column.name }}
    {%- endfor %}
from states
{%- endmacro %}
