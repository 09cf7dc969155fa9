{{ config(unique_key=['h_shop_user_session_hk', 'change_position']) }}

{{ satellite(
    changes=source('silver', 'shop_user_sessions_changes'),
    hash_key='h_shop_user_session_hk'
) }}
